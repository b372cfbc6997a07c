//! LIST, with selection and return options (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154).

use super::StatusItem;
use crate::error::Error;
use crate::mailbox::ListPattern;
use crate::reader::Reader;
use crate::writer::Writer;

/// Patterns in one command.
const MAX_PATTERNS: usize = 64;

/// Options in one list of them.
const MAX_OPTIONS: usize = 32;

/// Which mailboxes the answer is about. `recursive_match` never comes alone: it goes with
/// `subscribed` or `special_use`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ListSelection {
    /// `SUBSCRIBED`: subscriptions, whether or not the mailbox exists.
    pub subscribed: bool,
    /// `REMOTE`: also mailboxes on other servers.
    pub remote: bool,
    /// `RECURSIVEMATCH`: also mailboxes with a matching one below, shown with CHILDINFO.
    pub recursive_match: bool,
    /// `SPECIAL-USE`: mailboxes with a special use.
    pub special_use: bool,
}

/// What the answer says besides names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListReturn {
    /// `SUBSCRIBED`: mark subscriptions.
    pub subscribed: bool,
    /// `CHILDREN`: say whether there are children.
    pub children: bool,
    /// `SPECIAL-USE`: say what mailboxes are for.
    pub special_use: bool,
    /// `STATUS (…)`: a STATUS response for each mailbox that can be selected; empty without.
    pub status: Vec<StatusItem>,
}

/// Which mailboxes to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// What comes before each pattern.
    pub reference: ListPattern,
    /// At least one.
    pub patterns: Vec<ListPattern>,
    /// Selection options; `Some` when there was a list of them, even an empty one.
    pub selection: Option<ListSelection>,
    /// Return options; `Some` when there were any, even none in the list.
    pub returns: Option<ListReturn>,
}

impl List {
    /// Whether the client used the extended form, to which RFC 5258 §3 gives other rules.
    #[must_use]
    pub fn is_extended(&self) -> bool {
        self.selection.is_some() || self.returns.is_some() || self.patterns.len() > 1
    }

    /// `list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]`
    ///
    /// `mbox-or-pat = list-mailbox / patterns`, `patterns = "(" list-mailbox *(SP list-mailbox)
    /// ")"`
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.sp()?;
        let mut selection = None;
        if reader.eat(b'(') {
            selection = Some(reader.list_selection()?);
            reader.sp()?;
        }
        let reference = reader.list_reference()?;
        reader.sp()?;
        let patterns = if reader.eat(b'(') {
            reader.list_items(MAX_PATTERNS, Reader::list_mailbox)?
        } else {
            vec![reader.list_mailbox()?]
        };
        if patterns.is_empty() {
            return Err(Error::Expected("a mailbox pattern"));
        }
        let mut returns = None;
        if reader.eat(b' ') {
            if !reader.eat_word("RETURN") {
                return Err(Error::Expected("RETURN"));
            }
            reader.sp()?;
            reader.open()?;
            returns = Some(reader.list_returns()?);
        }
        Ok(Self {
            reference,
            patterns,
            selection,
            returns,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer.bytes(b"LIST ");
        if let Some(selection) = self.selection {
            let options = [
                (selection.subscribed, "SUBSCRIBED"),
                (selection.remote, "REMOTE"),
                (selection.recursive_match, "RECURSIVEMATCH"),
                (selection.special_use, "SPECIAL-USE"),
            ];
            let wanted = options.into_iter().filter(|option| option.0);
            writer
                .parenthesized(wanted, |writer, option| {
                    writer.text(option.1);
                })
                .sp();
        }
        writer.list_pattern(&self.reference).sp();
        writer.parenthesized(&self.patterns, |writer, pattern| {
            writer.list_pattern(pattern);
        });
        if let Some(returns) = &self.returns {
            writer.bytes(b" RETURN ").list_returns(returns);
        }
    }
}

impl Reader<'_> {
    /// `list-select-opts = "(" [(*(list-select-opt SP) list-select-base-opt *(SP
    /// list-select-opt)) / (list-select-independent-opt *(SP list-select-independent-opt))] ")"`
    fn list_selection(&mut self) -> Result<ListSelection, Error> {
        let options = self.list_items(MAX_OPTIONS, |reader| {
            Ok(reader.atom_text()?.to_ascii_uppercase())
        })?;
        let mut selection = ListSelection::default();
        for option in options {
            match option.as_str() {
                "SUBSCRIBED" => selection.subscribed = true,
                "REMOTE" => selection.remote = true,
                "RECURSIVEMATCH" => selection.recursive_match = true,
                "SPECIAL-USE" => selection.special_use = true,
                _ => return Err(Error::Unknown("selection option of LIST")),
            }
        }
        // RFC 9051 §6.3.9.1: RECURSIVEMATCH alone, or with REMOTE alone, is a BAD.
        if selection.recursive_match && !selection.subscribed && !selection.special_use {
            return Err(Error::Expected("SUBSCRIBED with RECURSIVEMATCH"));
        }
        Ok(selection)
    }

    /// `list-return-opts = "RETURN" SP "(" [return-option *(SP return-option)] ")"`
    ///
    /// `return-option = "SUBSCRIBED" / "CHILDREN" / status-option / option-extension`
    fn list_returns(&mut self) -> Result<ListReturn, Error> {
        let mut returns = ListReturn::default();
        let options = self.list_items(MAX_OPTIONS, |reader| {
            let name = reader.atom_text()?.to_ascii_uppercase();
            // status-option = "STATUS" SP "(" status-att *(SP status-att) ")" (RFC 5819)
            let status = if name == "STATUS" {
                reader.sp()?;
                reader.status_items()?
            } else {
                Vec::new()
            };
            Ok((name, status))
        })?;
        for (name, status) in options {
            match name.as_str() {
                "SUBSCRIBED" => returns.subscribed = true,
                "CHILDREN" => returns.children = true,
                "SPECIAL-USE" => returns.special_use = true,
                "STATUS" => returns.status = status,
                _ => return Err(Error::Unknown("return option of LIST")),
            }
        }
        Ok(returns)
    }
}

impl Writer<'_> {
    fn list_returns(&mut self, returns: &ListReturn) -> &mut Self {
        let options = [
            (returns.subscribed, "SUBSCRIBED"),
            (returns.children, "CHILDREN"),
            (returns.special_use, "SPECIAL-USE"),
            (!returns.status.is_empty(), "STATUS"),
        ];
        self.parenthesized(
            options.into_iter().filter(|option| option.0),
            |writer, option| {
                writer.text(option.1);
                if option.1 == "STATUS" {
                    writer.sp().status_items(&returns.status);
                }
            },
        )
    }
}
