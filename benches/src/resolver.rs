//! A name server on loopback for a made-up world: every domain has an SPF record that allows
//! loopback and nothing else exists, or nothing exists at all.
//!
//! Muskox looks up SPF and DMARC for each message; with this it does so, and never waits for a
//! network. Answers what it understands and drops the rest.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use crate::error::{Context as _, Result};

const SPF: &[u8] = b"v=spf1 ip4:127.0.0.0/8 -all";
const HEADER: usize = 12;
const TXT: [u8; 2] = [0, 16];
/// RFC 1035 §4.1.1: a response, authoritative, recursion desired and available.
const ANSWERED: [u8; 2] = [0x85, 0x80];
const NO_SUCH_NAME: [u8; 2] = [0x85, 0x83];
/// RFC 2308 §3: a negative answer may be kept only with an SOA record, here the root's, for an hour:
/// no names, then serial, refresh, retry, expire and minimum.
const SOA: [u8; 33] = [
    0, 0, 6, 0, 1, 0, 0, 0x0e, 0x10, 0, 22, // owner, type, class, time to live, length
    0, 0, 0, 0, 0, 1, 0, 0, 0x0e, 0x10, 0, 0, 2, 0x58, 0, 1, 0x51, 0x80, 0, 0, 0x0e, 0x10,
];

/// What there is to be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum World {
    /// Every domain has an SPF record that allows loopback.
    Senders,
    /// No name exists.
    Nothing,
}

/// Starts answering on a free port, as long as this process lives.
pub(crate) fn start(world: World) -> Result<SocketAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("the name server")?;
    let address = socket.local_addr().context("the name server")?;
    std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            let answer = buffer.get(..length).and_then(|query| answer(query, world));
            // Who does not hear the answer asks again.
            let _ = answer.map(|answer| socket.send_to(&answer, client));
        }
    });
    Ok(address)
}

/// The answer to a query with one question.
fn answer(query: &[u8], world: World) -> Option<Vec<u8>> {
    let (header, rest) = query.split_at_checked(HEADER)?;
    let name_length = name_length(rest)?;
    let question = rest.get(..name_length + 4)?;
    let kind = question.get(name_length..name_length + 2)?;
    let special = world == World::Nothing || question.get(1) == Some(&b'_');
    let found = kind == TXT && !special;
    let mut out = header.get(..2)?.to_vec();
    out.extend(if special { NO_SUCH_NAME } else { ANSWERED });
    out.extend([0, 1, 0, u8::from(found), 0, u8::from(!found), 0, 0]);
    out.extend_from_slice(question);
    if found {
        let text = u8::try_from(SPF.len()).ok()?;
        // The name by reference to the question, TXT, IN, an hour, the length, one string.
        out.extend([0xc0, 0x0c, 0, 16, 0, 1, 0, 0, 0x0e, 0x10, 0, text + 1, text]);
        out.extend_from_slice(SPF);
    } else {
        out.extend(SOA);
    }
    Some(out)
}

/// Octets of the name that `rest` starts with, the root's zero included.
fn name_length(rest: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let label = usize::from(*rest.get(at)?);
        at += 1;
        match label {
            0 => return Some(at),
            1..=63 => at += label,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(name: &[&str], kind: u8) -> Vec<u8> {
        let mut query = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name {
            query.push(u8::try_from(label.len()).unwrap());
            query.extend_from_slice(label.as_bytes());
        }
        query.extend([0, 0, kind, 0, 1]);
        query
    }

    #[test]
    fn senders_have_spf_and_nothing_else() {
        let found = answer(&query(&["d1", "test"], 16), World::Senders).unwrap();
        assert_eq!(found[..4], [0xab, 0xcd, 0x85, 0x80]);
        assert!(found.ends_with(SPF));
        let empty = answer(&query(&["d1", "test"], 1), World::Senders).unwrap();
        assert_eq!((empty[3], empty[7]), (0x80, 0));
        let none = answer(&query(&["_dmarc", "d1", "test"], 16), World::Senders).unwrap();
        assert_eq!((none[3] & 0x0f, none[9]), (3, 1));
        assert!(none.ends_with(&SOA));
    }

    #[test]
    fn an_empty_world_has_no_names() {
        let none = answer(&query(&["d1", "test"], 16), World::Nothing).unwrap();
        assert_eq!((none[3] & 0x0f, none[7], none[9]), (3, 0, 1));
        assert!(none.ends_with(&SOA));
    }

    #[test]
    fn what_is_no_query_is_dropped() {
        assert_eq!(answer(b"short", World::Senders), None);
        let mut cut = query(&["d1", "test"], 16);
        cut.truncate(15);
        assert_eq!(answer(&cut, World::Senders), None);
        assert_eq!(name_length(&[0xc0, 0x0c]), None);
    }
}
