//! The table of commands: name, whether `UID` may come before it, where it may have literals, and
//! its parser. A new command is one row here, one file beside, one variant of [`CommandBody`].

use super::{
    Append, Authenticate, CommandBody, Copy, Create, Enable, Expunge, Fetch, Id, List, Login, Lsub,
    Rename, Search, Select, StatusCommand, Store,
};
use crate::atom::is_atom_char;
use crate::error::Error;
use crate::reader::Reader;
use crate::sequence::By;

/// Where a command may have literals: the framer asks before it reads one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Literals {
    /// Nowhere.
    Forbidden,
    /// As strings.
    Strings,
    /// As a mailbox name after so many spaces, and as one message.
    Message { mailbox_after: usize },
}

/// Which forms of the command exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prefix {
    /// Never after UID.
    Plain,
    /// With and without UID.
    Either,
}

struct Row {
    name: &'static str,
    prefix: Prefix,
    literals: Literals,
    parse: fn(&mut Reader<'_>, By) -> Result<CommandBody, Error>,
}

const fn row(
    name: &'static str,
    prefix: Prefix,
    literals: Literals,
    parse: fn(&mut Reader<'_>, By) -> Result<CommandBody, Error>,
) -> Row {
    Row {
        name,
        prefix,
        literals,
        parse,
    }
}

/// RFC 9051 §6.3.12: `APPEND SP mailbox …`, the mailbox after the tag's space and the name's.
const APPEND_LITERALS: Literals = Literals::Message { mailbox_after: 2 };

#[rustfmt::skip]
const TABLE: &[Row] = {
    use Literals::{Forbidden, Strings};
    use Prefix::{Either, Plain};
    &[
        row("FETCH", Either, Strings, |r, by| Fetch::parse(r, by).map(CommandBody::Fetch)),
        row("STORE", Either, Forbidden, |r, by| Store::parse(r, by).map(CommandBody::Store)),
        row("SEARCH", Either, Strings, |r, by| Search::parse(r, by).map(CommandBody::Search)),
        row("COPY", Either, Strings, |r, by| Copy::parse(r, by).map(CommandBody::Copy)),
        row("MOVE", Either, Strings, |r, by| Copy::parse(r, by).map(CommandBody::Move)),
        row("EXPUNGE", Either, Forbidden, |r, by| Expunge::parse(r, by).map(CommandBody::Expunge)),
        row("NOOP", Plain, Forbidden, |_, _| Ok(CommandBody::Noop)),
        row("IDLE", Plain, Forbidden, |_, _| Ok(CommandBody::Idle)),
        row("SELECT", Plain, Strings, |r, _| Select::parse(r).map(CommandBody::Select)),
        row("EXAMINE", Plain, Strings, |r, _| Select::parse(r).map(CommandBody::Examine)),
        row("STATUS", Plain, Strings, |r, _| StatusCommand::parse(r).map(CommandBody::Status)),
        row("LIST", Plain, Strings, |r, _| List::parse(r).map(CommandBody::List)),
        row("LSUB", Plain, Strings, |r, _| Lsub::parse(r).map(CommandBody::Lsub)),
        row("APPEND", Plain, APPEND_LITERALS, |r, _| Append::parse(r).map(CommandBody::Append)),
        row("CAPABILITY", Plain, Forbidden, |_, _| Ok(CommandBody::Capability)),
        row("LOGOUT", Plain, Forbidden, |_, _| Ok(CommandBody::Logout)),
        row("ID", Plain, Strings, |r, _| Id::parse(r).map(CommandBody::Id)),
        row("STARTTLS", Plain, Forbidden, |_, _| Ok(CommandBody::StartTls)),
        row("AUTHENTICATE", Plain, Forbidden, |r, _| Authenticate::parse(r).map(CommandBody::Authenticate)),
        row("LOGIN", Plain, Strings, |r, _| Login::parse(r).map(CommandBody::Login)),
        row("ENABLE", Plain, Forbidden, |r, _| Enable::parse(r).map(CommandBody::Enable)),
        row("CREATE", Plain, Strings, |r, _| Create::parse(r).map(CommandBody::Create)),
        row("DELETE", Plain, Strings, |r, _| one_mailbox(r).map(CommandBody::Delete)),
        row("RENAME", Plain, Strings, |r, _| Rename::parse(r).map(CommandBody::Rename)),
        row("SUBSCRIBE", Plain, Strings, |r, _| one_mailbox(r).map(CommandBody::Subscribe)),
        row("UNSUBSCRIBE", Plain, Strings, |r, _| one_mailbox(r).map(CommandBody::Unsubscribe)),
        row("NAMESPACE", Plain, Forbidden, |_, _| Ok(CommandBody::Namespace)),
        row("CHECK", Plain, Forbidden, |_, _| Ok(CommandBody::Check)),
        row("CLOSE", Plain, Forbidden, |_, _| Ok(CommandBody::Close)),
        row("UNSELECT", Plain, Forbidden, |_, _| Ok(CommandBody::Unselect)),
    ]
};

/// `delete = "DELETE" SP mailbox`, `subscribe = "SUBSCRIBE" SP mailbox`,
/// `unsubscribe = "UNSUBSCRIBE" SP mailbox`
fn one_mailbox(reader: &mut Reader<'_>) -> Result<crate::mailbox::MailboxName, Error> {
    reader.sp()?;
    reader.mailbox()
}

fn find(name: &[u8], by: By) -> Option<&'static Row> {
    TABLE.iter().find(|row| {
        row.name.as_bytes().eq_ignore_ascii_case(name)
            && (by == By::Seq || row.prefix == Prefix::Either)
    })
}

/// The command's name and arguments, after the tag.
///
/// `uid = "UID" SP (copy / move / fetch / search / store / uid-expunge)`
pub(super) fn parse_body(reader: &mut Reader<'_>) -> Result<CommandBody, Error> {
    let mut name = reader.take_while(is_atom_char);
    let mut by = By::Seq;
    if name.eq_ignore_ascii_case(b"UID") {
        reader.sp()?;
        by = By::Uid;
        name = reader.take_while(is_atom_char);
    }
    let row = find(name, by).ok_or(Error::UnknownCommand)?;
    (row.parse)(reader, by)
}

/// Where the command that begins with `text` may have literals; an unknown one nowhere.
pub(crate) fn literals_of(text: &[u8]) -> Literals {
    let mut words = text.splitn(4, |b| *b == b' ').skip(1);
    let name = words.next().unwrap_or_default();
    let row = if name.eq_ignore_ascii_case(b"UID") {
        find(words.next().unwrap_or_default(), By::Uid)
    } else {
        find(name, By::Seq)
    };
    row.map_or(Literals::Forbidden, |row| row.literals)
}
