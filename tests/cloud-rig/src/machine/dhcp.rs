//! As much of DHCP (RFC 2131) as a machine needs to get the one address that it is to have.

use super::net::{HOST, address};
use anyhow::{Context, Result};
use socket2::{Domain, Protocol, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::UdpSocket;

/// Where a message's options begin, behind the magic number.
const OPTIONS: usize = 240;
const MAGIC: [u8; 4] = [99, 130, 83, 99];

const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const ACK: u8 = 5;

/// Answers at the wire of this name, until the runtime ends.
///
/// # Errors
/// If it cannot listen.
pub(super) fn serve(wire: &str, number: u8) -> Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind_device(Some(wire.as_bytes()))?;
    socket.set_broadcast(true)?;
    socket.set_nonblocking(true)?;
    let here: SocketAddr = (Ipv4Addr::UNSPECIFIED, 67).into();
    socket.bind(&here.into()).context("DHCP cannot listen")?;
    let socket = UdpSocket::from_std(socket.into())?;
    tokio::spawn(async move {
        let mut message = [0; 1500];
        while let Ok(len) = socket.recv(&mut message).await {
            if let Some(answer) = answer(&message[..len], address(number)) {
                // The machine asks again if it is lost.
                let _ = socket.send_to(&answer, (Ipv4Addr::BROADCAST, 68)).await;
            }
        }
    });
    Ok(())
}

/// The answer to a message: the address, and the way out.
fn answer(message: &[u8], yours: Ipv4Addr) -> Option<Vec<u8>> {
    let kind = match *option(message.get(OPTIONS..)?, 53)?.first()? {
        DISCOVER => OFFER,
        REQUEST => ACK,
        _ => return None,
    };
    let mut out = message[..OPTIONS].to_vec();
    out[0] = 2;
    out[16..20].copy_from_slice(&yours.octets());
    out[20..24].copy_from_slice(&HOST.octets());
    out[236..240].copy_from_slice(&MAGIC);
    for (code, value) in [
        (53, vec![kind]),
        (54, HOST.octets().to_vec()),
        (51, 86_400_u32.to_be_bytes().to_vec()),
        (1, vec![255, 255, 255, 0]),
        (3, HOST.octets().to_vec()),
    ] {
        out.extend([code, value.len() as u8]);
        out.extend(value);
    }
    out.push(255);
    Some(out)
}

/// An option's value.
fn option(mut options: &[u8], wanted: u8) -> Option<&[u8]> {
    loop {
        match options {
            [0, rest @ ..] => options = rest,
            [255, ..] | [] | [_] => return None,
            [code, len, rest @ ..] => {
                let (value, rest) = rest.split_at_checked(usize::from(*len))?;
                if *code == wanted {
                    return Some(value);
                }
                options = rest;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(options: &[u8]) -> Vec<u8> {
        let mut message = vec![0; OPTIONS];
        message[0] = 1;
        message[4..8].copy_from_slice(&[1, 2, 3, 4]);
        message.extend(options);
        message
    }

    #[test]
    fn who_asks_gets_its_address() {
        let yours = address(1);
        let offer = answer(&message(&[0, 12, 1, 7, 53, 1, DISCOVER, 255]), yours).unwrap();
        assert_eq!(option(&offer[OPTIONS..], 53), Some(&[OFFER][..]));
        assert_eq!(
            (&offer[4..8], &offer[16..20]),
            (&[1, 2, 3, 4][..], &yours.octets()[..])
        );
        let ack = answer(&message(&[53, 1, REQUEST, 255]), yours).unwrap();
        assert_eq!(option(&ack[OPTIONS..], 53), Some(&[ACK][..]));
    }

    #[test]
    fn what_is_no_question_gets_no_answer() {
        for options in [&[][..], &[255], &[53], &[53, 9, 1], &[53, 1, ACK, 255]] {
            assert_eq!(answer(&message(options), address(1)), None);
        }
        assert_eq!(answer(&[0; 20], address(1)), None);
    }
}
