//! CAPABILITY, ID, ENABLE and NAMESPACE.

use imap::command::{Enable, Id};
use imap::response::{
    CapabilityData, Enabled, IdData, NamespaceData, NamespacePrefix, ResponseCode, Status,
    StatusResponse,
};
use imap::{Atom, Capability, Utf8Mode};
use sasl::Mechanism;

use crate::client::{Client, done};

/// How far a session has come, for what it announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    NotAuthenticated,
    Authenticated,
}

/// What every session can do once somebody has signed in, beside APPENDLIMIT.
const EXTENSIONS: [Capability; 18] = [
    Capability::Idle,
    Capability::Namespace,
    Capability::UidPlus,
    Capability::Unselect,
    Capability::Children,
    Capability::ListExtended,
    Capability::ListStatus,
    Capability::SpecialUse,
    Capability::CreateSpecialUse,
    Capability::ESearch,
    Capability::Move,
    Capability::CondStore,
    Capability::StatusSize,
    Capability::Utf8Accept,
    Capability::LiteralMinus,
    Capability::Enable,
    Capability::Id,
    Capability::SaslIr,
];

impl Client {
    /// RFC 9051 §6.1.1: what this session can do now.
    pub(crate) fn capabilities(&self, phase: Phase) -> Vec<Capability> {
        let mut capabilities = vec![Capability::Imap4Rev1, Capability::Imap4Rev2];
        if phase == Phase::Authenticated {
            capabilities.extend(EXTENSIONS);
            // RFC 5182 §2: `$` and RETURN (SAVE).
            capabilities.extend(Atom::new("SEARCHRES").map(Capability::Other));
            capabilities.push(Capability::AppendLimit(self.server.limits.append_bytes));
            return capabilities;
        }
        capabilities.extend([
            Capability::LiteralMinus,
            Capability::Enable,
            Capability::Id,
            Capability::SaslIr,
        ]);
        if self.io.stream.is_tls() {
            let mechanisms = Mechanism::ALL.into_iter();
            capabilities.extend(
                mechanisms
                    .filter_map(|m| Atom::new(m.as_str()))
                    .map(Capability::Auth),
            );
        } else {
            // RFC 9051 §6.2.3, §11.1: no password travels in clear.
            if self.server.tls.is_some() {
                capabilities.push(Capability::StartTls);
            }
            capabilities.push(Capability::LoginDisabled);
        }
        capabilities
    }

    /// RFC 9051 §7.1.5: the greeting.
    pub(crate) fn greet(&mut self) {
        let code = ResponseCode::Capability(self.capabilities(Phase::NotAuthenticated));
        let text = format!("{} Muskox ready", self.server.hostname);
        self.say(&StatusResponse::new(Status::Ok, text).with_code(code));
    }

    pub(crate) fn capability(&mut self, phase: Phase) -> StatusResponse {
        let capabilities = self.capabilities(phase);
        self.say(&CapabilityData(&capabilities));
        done("CAPABILITY")
    }

    /// RFC 2971: who we are; who the client is goes to the log.
    pub(crate) fn identify(&mut self, id: &Id) -> StatusResponse {
        tracing::debug!(session = %self.id, client = ?id.fields, "imap client");
        let ours = Id {
            fields: vec![("name".to_owned(), Some("Muskox".to_owned()))],
        };
        self.say(&IdData(&ours));
        done("ID")
    }

    /// RFC 9051 §6.3.1: ENABLED names what is new; unknown capabilities are passed over.
    pub(crate) fn enable(&mut self, enable: &Enable) -> StatusResponse {
        let mut enabled = Vec::new();
        for capability in &enable.capabilities {
            let before = self.dialect;
            match capability {
                Capability::CondStore => self.dialect.condstore = true,
                Capability::Utf8Accept => self.dialect.mode = Utf8Mode::Utf8,
                Capability::Imap4Rev2 => {
                    self.dialect.mode = Utf8Mode::Utf8;
                    self.dialect.rev2 = true;
                }
                _ => {}
            }
            if self.dialect != before {
                enabled.push(capability.clone());
            }
        }
        self.say(&Enabled(&enabled));
        done("ENABLE")
    }

    /// RFC 2342: every mailbox is the user's own, below no prefix.
    pub(crate) fn namespace(&mut self) -> StatusResponse {
        self.say(&NamespaceData {
            personal: vec![NamespacePrefix::Root],
            ..NamespaceData::default()
        });
        done("NAMESPACE")
    }
}
