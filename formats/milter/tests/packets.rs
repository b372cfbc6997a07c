//! What is encoded decodes to the same, however it is cut.

use std::net::{Ipv4Addr, Ipv6Addr};

use milter::{Actions, Command, Framer, Negotiation, Peer, Protocol, Response, Text};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn text() -> impl Strategy<Value = Text> {
    vec(any::<u8>(), 0..20).prop_map(Text::from)
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..200)
}

fn negotiation() -> impl Strategy<Value = Negotiation> {
    (any::<[u32; 3]>(), vec((any::<u32>(), text()), 0..8)).prop_map(
        |([version, actions, protocol], macros)| Negotiation {
            version,
            actions: Actions(actions),
            protocol: Protocol(protocol),
            macros,
        },
    )
}

fn peer() -> impl Strategy<Value = Peer> {
    prop_oneof![
        Just(Peer::Unknown),
        (any::<u16>(), text()).prop_map(|(port, path)| Peer::Local { port, path }),
        any::<(u32, u16)>().prop_map(|(bits, port)| Peer::Inet(Ipv4Addr::from_bits(bits), port)),
        any::<(u128, u16)>().prop_map(|(bits, port)| Peer::Inet6(Ipv6Addr::from_bits(bits), port)),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        negotiation().prop_map(Command::Negotiate),
        (any::<u8>(), vec((text(), text()), 0..5))
            .prop_map(|(step, values)| Command::Macros { step, values }),
        (text(), peer()).prop_map(|(host, peer)| Command::Connect { host, peer }),
        text().prop_map(Command::Helo),
        (text(), vec(text(), 0..5)).prop_map(|(path, arguments)| Command::Mail { path, arguments }),
        (text(), vec(text(), 0..5)).prop_map(|(path, arguments)| Command::Rcpt { path, arguments }),
        Just(Command::Data),
        (text(), text()).prop_map(|(name, value)| Command::Header { name, value }),
        Just(Command::EndOfHeaders),
        octets().prop_map(Command::Body),
        octets().prop_map(Command::EndOfBody),
        Just(Command::Abort),
        Just(Command::Quit),
        Just(Command::QuitNewConnection),
        text().prop_map(Command::Unknown),
    ]
}

fn response() -> impl Strategy<Value = Response> {
    prop_oneof![
        negotiation().prop_map(Response::Negotiate),
        proptest::sample::select(vec![
            Response::Continue,
            Response::Reject,
            Response::TempFail,
            Response::Accept,
            Response::Discard,
            Response::Skip,
            Response::Progress,
            Response::Shutdown,
            Response::ConnectionFailure,
        ]),
        (400_u16..600, text()).prop_map(|(code, text)| Response::Reply { code, text }),
        (text(), text()).prop_map(|(name, value)| Response::AddHeader { name, value }),
        (any::<u32>(), text(), text()).prop_map(|(index, name, value)| Response::InsertHeader {
            index,
            name,
            value
        }),
        (any::<u32>(), text(), text()).prop_map(|(index, name, value)| Response::ChangeHeader {
            index,
            name,
            value
        }),
        (text(), option::of(text()))
            .prop_map(|(path, arguments)| Response::ChangeFrom { path, arguments }),
        text().prop_map(Response::AddRecipient),
        (text(), option::of(text()))
            .prop_map(|(path, arguments)| Response::AddRecipientWithArguments { path, arguments }),
        text().prop_map(Response::DeleteRecipient),
        octets().prop_map(Response::ReplaceBody),
        text().prop_map(Response::Quarantine),
    ]
}

proptest! {
    #[test]
    fn commands_survive_the_wire(commands in vec(command(), 0..10), cut in 1_usize..50) {
        let mut wire = Vec::new();
        for command in &commands {
            command.encode(&mut wire);
        }
        let mut framer = Framer::default();
        let mut read = Vec::new();
        for piece in wire.chunks(cut) {
            framer.feed(piece);
            while let Some(command) = framer.next_command().unwrap() {
                read.push(command);
            }
        }
        prop_assert_eq!(read, commands);
    }

    #[test]
    fn responses_survive_the_wire(responses in vec(response(), 0..10), cut in 1_usize..50) {
        let mut wire = Vec::new();
        for response in &responses {
            response.encode(&mut wire);
        }
        let mut framer = Framer::default();
        let mut read = Vec::new();
        for piece in wire.chunks(cut) {
            framer.feed(piece);
            while let Some(response) = framer.next_response().unwrap() {
                read.push(response);
            }
        }
        prop_assert_eq!(read, responses);
    }
}
