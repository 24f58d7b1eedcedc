use super::*;
use crate::rng::Rng;

fn packet(len: usize, pts: i64, keyframe: bool) -> Packet {
    Packet {
        track: 1,
        pts,
        dts: pts - 3000,
        duration: 1800,
        keyframe,
        data: Bytes::from(alloc::vec![7; len]),
    }
}

/// A body that holds `bytes`, with the first record at `first_record` of them.
fn body(bytes: &[u8], first_record: Option<u32>, first_keyframe: Option<u32>) -> Bytes {
    let shift = |offset: u32| offset + BodyHead::LEN as u32;
    let head = BodyHead {
        first_record: first_record.map(shift),
        first_keyframe: first_keyframe.map(shift),
    };
    [&head.to_bytes()[..], bytes].concat().into()
}

fn bytes_of(packet: &Packet) -> Vec<u8> {
    let mut bytes = Head::of(packet, false).to_bytes();
    bytes.extend_from_slice(&packet.data);
    bytes
}

fn feed(decoder: &mut Decoder, body: &Bytes) -> Result<Vec<Packet>, RecordError> {
    let mut got = Vec::new();
    decoder.feed(body, |record| got.push(record.packet))?;
    Ok(got)
}

#[test]
fn heads_come_back_at_the_edges_of_their_ranges() {
    for (pts, dts) in [
        (0, 0),
        (5, -5),
        (i64::MAX, i64::MIN),
        (i64::MIN, i64::MAX),
        (90_000, 86_400),
    ] {
        let head = Head {
            track: 255,
            pts,
            dts,
            duration: u32::MAX,
            keyframe: true,
            discontinuity: true,
            len: RECORD_MAX,
        };
        let bytes = head.to_bytes();
        assert!(bytes.len() <= HEAD_MAX);
        assert_eq!(Head::read(&bytes), Ok((head, bytes.len())));
    }
}

#[test]
fn integers_that_do_not_fit_are_malformed() {
    let eleven_bytes = [&[0xff; 10][..], &[1]].concat();
    assert_eq!(read_varint(&mut &eleven_bytes[..]), Err(RecordError::Malformed));
    let sixty_five_bits = [&[0xff; 9][..], &[2]].concat();
    assert_eq!(
        read_varint(&mut &sixty_five_bits[..]),
        Err(RecordError::Malformed)
    );
    let most = [&[0xff; 9][..], &[1]].concat();
    assert_eq!(read_varint(&mut &most[..]), Ok(u64::MAX));
}

#[test]
fn a_record_over_three_bodies_comes_whole() {
    let (first, second) = (packet(100, 9000, true), packet(4, 12_000, false));
    let bytes = [bytes_of(&first), bytes_of(&second)].concat();
    let at = bytes_of(&first).len() as u32 - 70;
    let mut decoder = Decoder::new();
    assert_eq!(
        feed(&mut decoder, &body(&bytes[..40], Some(0), Some(0))),
        Ok(Vec::new())
    );
    assert_eq!(
        feed(&mut decoder, &Bytes::new()),
        Ok(Vec::new()),
        "an empty block"
    );
    assert_eq!(
        feed(&mut decoder, &body(&bytes[40..70], None, None)),
        Ok(Vec::new())
    );
    let last = body(&bytes[70..], Some(at), None);
    assert_eq!(feed(&mut decoder, &last), Ok(alloc::vec![first, second]));
}

#[test]
fn reading_begins_at_the_first_keyframe() {
    let (sound, key) = (packet(9, 1, false), packet(10, 2, true));
    let bytes = [bytes_of(&sound), bytes_of(&key)].concat();
    let at = bytes_of(&sound).len() as u32;
    let mut decoder = Decoder::new();
    let without = body(&bytes_of(&sound), Some(0), None);
    assert_eq!(feed(&mut decoder, &without), Ok(Vec::new()));
    let with = body(&bytes, Some(0), Some(at));
    assert_eq!(feed(&mut decoder, &with), Ok(alloc::vec![key.clone()]));
    assert_eq!(
        feed(&mut decoder, &with),
        Ok(alloc::vec![sound, key.clone()]),
        "from now on all"
    );
    assert_eq!(first_keyframe(&with).map(|head| head.pts), Some(key.pts));
}

#[test]
fn what_disagrees_is_refused_and_reading_begins_anew() {
    let key = packet(100, 1, true);
    let bytes = bytes_of(&key);
    let mut decoder = Decoder::new();
    feed(&mut decoder, &body(&bytes[..50], Some(0), Some(0))).unwrap();
    let too_early = body(&bytes[50..60], Some(5), None);
    assert_eq!(feed(&mut decoder, &too_early), Err(RecordError::Disagrees));
    assert_eq!(
        feed(&mut decoder, &body(&bytes[50..], None, None)),
        Ok(Vec::new())
    );
    assert_eq!(
        feed(&mut decoder, &body(&bytes, Some(0), Some(0))),
        Ok(alloc::vec![key])
    );
    assert_eq!(
        feed(&mut decoder, &body(&bytes[..9], None, None)),
        Err(RecordError::Disagrees)
    );
    assert_eq!(
        feed(&mut decoder, &Bytes::from_static(b"short")),
        Err(RecordError::Body)
    );
}

#[test]
fn a_record_beyond_the_limit_is_refused_unread() {
    let mut head = Head::of(&packet(0, 1, true), false);
    head.len = RECORD_MAX + 1;
    let body = body(&head.to_bytes(), Some(0), Some(0));
    let refused = feed(&mut Decoder::new(), &body);
    assert_eq!(refused, Err(RecordError::TooLarge(RECORD_MAX as u64 + 1)));
}

#[test]
fn bent_bodies_never_panic() {
    let mut rng = Rng::new(11);
    let packets: Vec<u8> = (0..6)
        .flat_map(|n| bytes_of(&packet(n * 9, n as i64, true)))
        .collect();
    let sound = body(&packets, Some(0), Some(0));
    let mut decoder = Decoder::new();
    for _ in 0..20_000 {
        let mut bent = sound.to_vec();
        for _ in 0..1 + rng.below(3) {
            let at = rng.below(bent.len() as u64) as usize;
            bent[at] = rng.next() as u8;
        }
        bent.truncate(rng.below(bent.len() as u64 + 1) as usize);
        let _ = feed(&mut decoder, &bent.into());
    }
}
