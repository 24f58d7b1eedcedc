//! Every decoder that the network reaches, with sound inputs bent in many ways: none may panic, take more memory than
//! its limits allow, or accept what it cannot say again. The same mutations each time, about two seconds of them;
//! `tests/fuzz` goes further.

use crate::meter::peak_of;
use crate::mutate::mutate;
use crate::specimens::{self, Specimen};
use banyan_protocol::id::{Context, Ed25519, PublicKey, Signature, Verify};
use banyan_protocol::limits::{CONTROL_FRAME_MAX, DATA_FRAME_MAX, RECORD_MAX};
use banyan_protocol::media::block::BodyHead;
use banyan_protocol::media::record::Decoder;
use banyan_protocol::rng::Rng;
use banyan_protocol::wire::chunk::{Data, PAYLOAD_MAX};
use banyan_protocol::wire::control::{Message, Reassign};
use banyan_protocol::wire::framing::{self, Deframer, PREFIX};
use banyan_protocol::wire::layout::Layout;
use banyan_protocol::wire::link::ChannelLink;
use banyan_protocol::wire::order::{Delegation, Numbered};
use banyan_protocol::wire::ticket::{Ticket, TicketLane};
use bytes::Bytes;

/// The most memory that decoding one control frame may take. Lists grow as their entries are read, from at most a
/// megabyte (serde's bound for what a sender only announces).
const CONTROL_MEMORY_MAX: usize = 2 * 1024 * 1024;

/// Takes every signature for good, so that what is behind it is reached.
struct Trusting;

impl Verify for Trusting {
    fn verify(&self, _: &PublicKey, _: Context, _: &[u8], _: &Signature) -> bool {
        true
    }
}

/// Calls `decode` with each specimen, all its beginnings, and `rounds` mutations of it.
fn provoke(specimens: &[Specimen], rounds: u64, mut decode: impl FnMut(Bytes)) {
    let corpus: Vec<Bytes> = specimens.iter().map(|(_, bytes)| bytes.clone()).collect();
    let mut rng = Rng::new(20);
    for sound in &corpus {
        (0..=sound.len()).for_each(|len| decode(sound.slice(..len)));
        (0..rounds).for_each(|_| decode(mutate(sound, &corpus, &mut rng).into()));
    }
}

#[test]
fn data_frames() {
    let channel = specimens::channel().public();
    let specimens = specimens::data_frames();
    let mut accepted = 0;
    provoke(&specimens, 60_000, |frame| {
        let Ok(Data::Chunk(chunk)) = Data::parse(frame.clone()) else {
            return;
        };
        accepted += 1;
        assert_eq!(*chunk.frame(), frame, "it is passed on as it came");
        assert!(chunk.payload().len() <= PAYLOAD_MAX && chunk.header.stripe.index <= chunk.header.shards);
        if accepted % 20 == 0
            && specimens
                .iter()
                .all(|(_, sound)| sound[PREFIX..] != frame[PREFIX..])
        {
            assert!(!chunk.is_signed_by(&channel, &Ed25519), "an altered chunk");
        }
    });
    assert!(accepted > 1_000, "enough of them are well-formed: {accepted}");
}

#[test]
fn control_messages() {
    let mut accepted = 0;
    provoke(&specimens::control_frames(), 20_000, |frame| {
        let peak = peak_of(|| {
            if let Ok(message) = Message::parse(&frame) {
                accepted += 1;
                assert_eq!(
                    Message::parse(&message.frame()),
                    Ok(message),
                    "it can be said again"
                );
            }
        });
        assert!(peak <= CONTROL_MEMORY_MAX, "{peak} bytes for {frame:x}");
    });
    assert!(accepted > 1_000, "enough of them are well-formed: {accepted}");
}

#[test]
fn tickets_on_a_lane() {
    let [first, other] = specimens::lane();
    let Ok(Message::Reassign(reassign)) = Message::parse(&other.frame()) else {
        panic!("the second travels as what is new in it");
    };
    let (channel, child) = (specimens::channel(), specimens::child());
    let sound = ("patch".to_string(), reassign.patch.clone());
    let (mut whole, mut opened) = (0, 0);
    provoke(core::slice::from_ref(&sound), 60_000, |patch| {
        let mut lane = TicketLane::default();
        lane.receive(first.clone()).unwrap();
        let bent = Message::Reassign(Reassign {
            patch,
            ..reassign.clone()
        });
        let Ok(Message::Assign(assign)) = lane.receive(bent) else {
            return;
        };
        whole += 1;
        opened += usize::from(Ticket::open(&assign.ticket, &child, &channel.public(), &Trusting).is_ok());
    });
    assert!(whole > 1_000 && opened > 300, "{whole} and {opened}");
}

#[test]
fn a_control_frame_beyond_the_limit_is_refused() {
    let body = vec![0; CONTROL_FRAME_MAX + 1];
    assert!(Message::parse(&framing::frame(&body)).is_err());
}

#[test]
fn layouts() {
    let channel = specimens::channel();
    let sound = specimens::sealed().remove(0);
    let mut accepted = 0;
    provoke(core::slice::from_ref(&sound), 120_000, |bytes| {
        if let Ok(layout) = Layout::open(&bytes, &channel.public(), &Trusting) {
            accepted += 1;
            assert!(!layout.tiers.is_empty() && layout.top().stripes >= 1);
            let again = layout.seal(&channel);
            assert_eq!(Layout::open(&again, &channel.public(), &Trusting), Ok(layout));
        }
    });
    assert!(accepted > 300, "{accepted}");
}

#[test]
fn tickets() {
    let (channel, child) = (specimens::channel(), specimens::child());
    let sound = specimens::sealed().remove(1);
    let mut accepted = 0;
    provoke(core::slice::from_ref(&sound), 120_000, |bytes| {
        let Ok(ticket) = Ticket::open(&bytes, &child, &channel.public(), &Trusting) else {
            return;
        };
        accepted += 1;
        let again = ticket.seal(&channel);
        assert_eq!(
            Ticket::open(&again, &child, &channel.public(), &Trusting),
            Ok(ticket)
        );
        if bytes != sound.1 && accepted % 100 == 0 {
            let opened = Ticket::open(&bytes, &child, &channel.public(), &Ed25519);
            assert!(opened.is_err(), "an altered ticket");
        }
    });
    assert!(accepted > 1_000, "{accepted}");
}

#[test]
fn orders_to_relays() {
    let (sponsor, relay) = (specimens::sponsor(), specimens::relay());
    let mut sound = specimens::commands();
    let delegation = sound.pop().unwrap();
    let mut accepted = 0;
    provoke(&sound, 12_000, |bytes| {
        let Ok(order) = Numbered::open(&bytes, &sponsor.public(), &relay, &Trusting) else {
            return;
        };
        accepted += 1;
        let again = order.seal(&sponsor, &relay);
        assert_eq!(
            Numbered::open(&again, &sponsor.public(), &relay, &Trusting),
            Ok(order)
        );
    });
    assert!(accepted > 1_000, "{accepted}");
    accepted = 0;
    provoke(&[delegation], 60_000, |bytes| {
        if let Ok(delegation) = Delegation::open(&bytes, &sponsor.public(), &Trusting) {
            accepted += 1;
            let again = delegation.seal(&sponsor);
            assert_eq!(
                Delegation::open(&again, &sponsor.public(), &Trusting),
                Ok(delegation)
            );
        }
    });
    assert!(accepted > 1_000, "{accepted}");
}

#[test]
fn links() {
    let text = Bytes::from(specimens::link().to_string());
    let mut accepted = 0;
    provoke(&[("link".to_string(), text)], 200_000, |bytes| {
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(link) = text.parse::<ChannelLink>() {
            accepted += 1;
            assert_eq!(link.to_string().parse(), Ok(link), "it can be said again");
        }
    });
    assert!(accepted > 1_000, "{accepted}");
}

#[test]
fn streams_of_frames() {
    let mut specimens = specimens::data_frames();
    specimens.extend(specimens::control_frames());
    let stream: Vec<u8> = specimens.iter().flat_map(|(_, frame)| frame.to_vec()).collect();
    let mut rng = Rng::new(4);
    provoke(&[("stream".to_string(), stream.into())], 6_000, |stream| {
        let mut deframer = Deframer::new(DATA_FRAME_MAX);
        let mut rest = &stream[..];
        let mut taken = 0;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(1 + rng.below(rest.len().min(900) as u64) as usize);
            rest = later;
            deframer.push(now);
            let Ok(len) = drain(&mut deframer, &stream[taken..]) else {
                return;
            };
            taken += len;
        }
    });
}

/// Takes all whole frames, which must be what `stream` begins with; says how many bytes they have.
fn drain(deframer: &mut Deframer, stream: &[u8]) -> Result<usize, framing::FrameTooLarge> {
    let mut taken = 0;
    while let Some(frame) = deframer.next_frame()? {
        assert!(frame.len() <= PREFIX + DATA_FRAME_MAX);
        assert_eq!(
            frame[..],
            stream[taken..taken + frame.len()],
            "nothing is lost or made up"
        );
        taken += frame.len();
    }
    Ok(taken)
}

#[test]
fn records() {
    let (mut decoder, mut whole) = (Decoder::new(), 0);
    provoke(&specimens::bodies(), 200_000, |body| {
        let mut bytes = 0;
        let peak = peak_of(|| {
            let _ = decoder.feed(&body, |record| {
                whole += 1;
                bytes += record.packet.data.len();
            });
        });
        assert!(bytes <= RECORD_MAX + body.len());
        assert!(
            peak <= RECORD_MAX + body.len() + 4096,
            "{peak} bytes for {} bytes",
            body.len()
        );
    });
    assert!(whole > 1_000, "{whole}");
}

#[test]
fn records_of_a_body_that_promises_more_than_comes() {
    let mut decoder = Decoder::new();
    let head = BodyHead {
        first_record: Some(8),
        first_keyframe: Some(8),
    };
    let huge = [&head.to_bytes()[..], &[1, 0, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0]].concat();
    let peak = peak_of(|| assert!(decoder.feed(&huge.into(), |_| ()).is_err()));
    assert!(peak < 4096, "{peak} bytes for a record that is too large");
}
