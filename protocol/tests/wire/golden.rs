//! The wire format, byte for byte: what these files hold was sent by this version, and every later one must read it and
//! send the same. After a change that is meant (and a new `limits::VERSION`), `BANYAN_GOLDEN=write cargo test` writes them
//! anew.

use crate::specimens::{self, Specimen};
use banyan_protocol::id::Ed25519;
use banyan_protocol::wire::chunk::Data;
use banyan_protocol::wire::control::Message;
use banyan_protocol::wire::framing;
use banyan_protocol::wire::layout::Layout;
use banyan_protocol::wire::order::{Delegation, Numbered};
use banyan_protocol::wire::ticket::Ticket;
use bytes::Bytes;
use std::fmt::Write;
use std::path::Path;

/// Bytes a line of a golden file.
const LINE: usize = 32;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn unhex(text: &str) -> Bytes {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn to_text(specimens: &[Specimen]) -> String {
    specimens.iter().fold(String::new(), |mut text, (name, bytes)| {
        writeln!(text, "[{name}]").unwrap();
        bytes
            .chunks(LINE)
            .for_each(|line| writeln!(text, "{}", hex(line)).unwrap());
        text
    })
}

fn from_text(text: &str) -> Vec<Specimen> {
    let sections = text.split('[').skip(1);
    sections
        .map(|section| {
            let (name, bytes) = section.split_once(']').unwrap();
            (name.to_string(), unhex(bytes))
        })
        .collect()
}

/// What the golden file of that name holds, which must be what we send.
fn golden(file: &str, ours: &[Specimen]) -> Vec<Specimen> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(file);
    if std::env::var("BANYAN_GOLDEN").as_deref() == Ok("write") {
        std::fs::write(&path, to_text(ours)).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let held = from_text(&text);
    for ((name, held), (our_name, ours)) in held.iter().zip(ours) {
        assert_eq!((name, hex(held)), (our_name, hex(ours)), "in {file}");
    }
    assert_eq!(held.len(), ours.len(), "specimens in {file}");
    held
}

#[test]
fn control_messages() {
    let messages = specimens::messages();
    for ((name, frame), (_, message)) in golden("control.hex", &specimens::control_frames())
        .iter()
        .zip(messages)
    {
        assert_eq!(Message::parse(frame), Ok(message), "{name}");
    }
}

#[test]
fn every_kind_of_control_message_is_there() {
    let kinds: Vec<u8> = specimens::control_frames()
        .iter()
        .map(|(_, frame)| frame[framing::PREFIX])
        .collect();
    let count = kinds.iter().max().unwrap() + 1;
    (0..count).for_each(|kind| assert!(kinds.contains(&kind), "kind {kind}"));
    let lengths = (0..300).map(|len| [&[count][..], &vec![0; len]].concat());
    for body in lengths {
        assert!(
            Message::parse(&framing::frame(&body)).is_err(),
            "a kind that has no specimen: {count}"
        );
    }
}

#[test]
fn data_frames() {
    let chunks = specimens::chunks();
    let sealed = layout_bytes();
    for (name, frame) in golden("data.hex", &specimens::data_frames()) {
        match (name.as_str(), Data::parse(frame).unwrap()) {
            ("chunk", Data::Chunk(chunk)) => assert_eq!(chunk, chunks[1]),
            ("chunk-parity", Data::Chunk(chunk)) => assert_eq!(chunk, chunks[4]),
            ("late", Data::Late { block, .. }) => assert_eq!(block, 77),
            ("layout", Data::Layout(layout)) => assert_eq!(layout, sealed),
            (name, data) => panic!("{name} is {data:?}"),
        }
    }
}

fn layout_bytes() -> Bytes {
    specimens::layout().seal(&specimens::channel())
}

#[test]
fn signed_documents() {
    let channel = specimens::channel().public();
    let held = golden("signed.hex", &specimens::sealed());
    assert_eq!(
        Layout::open(&held[0].1, &channel, &Ed25519),
        Ok(specimens::layout())
    );
    assert_eq!(
        Ticket::open(&held[1].1, &specimens::child(), &channel, &Ed25519),
        Ok(specimens::ticket())
    );
}

#[test]
fn orders_to_relays() {
    let sponsor = specimens::sponsor().public();
    let mut held = golden("orders.hex", &specimens::commands());
    let (_, delegation) = held.pop().unwrap();
    assert_eq!(
        Delegation::open(&delegation, &sponsor, &Ed25519),
        Ok(specimens::delegation())
    );
    for ((name, bytes), (_, order)) in held.iter().zip(specimens::orders()) {
        let opened = Numbered::open(bytes, &sponsor, &specimens::relay(), &Ed25519);
        assert_eq!(opened, Ok(order), "{name}");
    }
}

#[test]
fn block_bodies() {
    golden("body.hex", &specimens::bodies());
}

#[test]
fn links() {
    let text = include_str!("../golden/link.txt").trim_end();
    assert_eq!(specimens::link().to_string(), text);
    assert_eq!(text.parse(), Ok(specimens::link()));
}
