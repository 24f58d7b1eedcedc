use super::*;

#[test]
fn uplinks_are_typed_as_people_do() {
    assert_eq!(uplink(""), Ok(None));
    assert_eq!(uplink(" 10 "), Ok(Some(Bitrate(10_000_000))));
    assert_eq!(uplink("2,5"), Ok(Some(Bitrate(2_500_000))));
    assert!(uplink("fast").unwrap_err().contains("Mbit/s"));
    assert!(uplink("-1").is_err());
}

#[test]
fn what_an_uplink_bears_is_said() {
    let form = |mbps: &str| Form {
        uplink_mbps: mbps.into(),
        ..Form::default()
    };
    let stream = Bitrate(3_000_000);
    assert!(form("10").bears(stream).unwrap().contains("3 copies"));
    assert!(form("4").bears(stream).unwrap().contains("one copy"));
    assert!(form("1").bears(stream).unwrap().contains("do not carry"));
    assert_eq!(form("").bears(stream), None);
}

#[test]
fn a_form_says_what_it_lacks() {
    let mut form = Form {
        source: Source::File,
        ..Form::default()
    };
    assert!(form.resolve().unwrap_err().contains("file"));
    form.input = "/tmp/film.mkv".into();
    assert_eq!(form.resolve().unwrap(), "/tmp/film.mkv");
    form.source = Source::Test;
    assert_eq!(form.resolve().unwrap(), "test:");
}

#[test]
fn only_who_is_let_sends_from_elsewhere() {
    let mut form = Form {
        found: Inputs {
            reached_at: vec!["192.0.2.7".parse().unwrap()],
            passphrase: "0123456789".into(),
            ..Inputs::default()
        },
        ..Form::default()
    };
    assert_eq!(form.resolve().unwrap(), "rtmp://127.0.0.1:1935/live/key");
    assert_eq!(form.push_addresses()[0].1, "rtmp://127.0.0.1:1935/live");
    form.from_elsewhere = true;
    assert_eq!(form.resolve().unwrap(), "rtmp://0.0.0.0:1935/live/key");
    assert_eq!(form.push_addresses()[0].1, "rtmp://192.0.2.7:1935/live");
    form.push = Push::Srt;
    let listener = "srt://0.0.0.0:9000?mode=listener&passphrase=0123456789";
    assert_eq!(form.resolve().unwrap(), listener);
    let caller = "srt://192.0.2.7:9000?passphrase=0123456789";
    assert_eq!(form.push_addresses(), [("Server", caller.into())]);
    form.found.passphrase.clear();
    assert!(form.resolve().unwrap_err().contains("moment"));
    form.from_elsewhere = false;
    assert_eq!(form.resolve().unwrap(), "srt://127.0.0.1:9000?mode=listener");
    assert_eq!(form.push_addresses()[0].1, "srt://127.0.0.1:9000");
}

#[test]
fn a_tuner_program_is_told_where_to_send_to() {
    let mut form = Form {
        source: Source::Tuner,
        ..Form::default()
    };
    assert_eq!(form.resolve().unwrap(), "udp://127.0.0.1:1234");
    form.input = "5000".into();
    assert_eq!(form.tuner_address().unwrap(), "udp://127.0.0.1:5000");
    assert!(form.tuner_command(1).unwrap().contains("-a 1 "));
    form.input = "dvb".into();
    assert!(form.resolve().unwrap_err().contains("no port"));
}
