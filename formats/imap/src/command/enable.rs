//! ENABLE (RFC 9051 §6.3.1).

use crate::capability::Capability;
use crate::error::Error;
use crate::reader::Reader;

/// Capabilities in one command.
const MAX_CAPABILITIES: usize = 64;

/// Extensions that the client wants in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enable {
    /// At least one. Those that the server does not know are to be passed over.
    pub capabilities: Vec<Capability>,
}

impl Enable {
    /// `enable = "ENABLE" 1*(SP capability)`
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.sp()?;
        let mut capabilities = vec![reader.capability()?];
        while reader.eat(b' ') {
            if capabilities.len() >= MAX_CAPABILITIES {
                return Err(Error::Limit {
                    what: "capabilities",
                    limit: MAX_CAPABILITIES,
                });
            }
            capabilities.push(reader.capability()?);
        }
        Ok(Self { capabilities })
    }
}
