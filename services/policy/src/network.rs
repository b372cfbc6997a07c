//! Networks, and tables that find the networks of an address by hash: one look-up for each prefix
//! length that occurs, however many networks there are.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network: an address and how many of its bits count. The others are zero; IPv4 addresses that
/// are written as IPv6 ones are IPv4 addresses. As JSON it is its text.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// The text is not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a network is an IP address, with or without /prefix length")]
pub struct NetworkError;

/// Bits of the mapping of IPv4 into IPv6 (RFC 4291 §2.5.5.2).
const MAPPED: u8 = 96;

impl Network {
    /// The network of an address and a prefix length; host bits are cleared.
    ///
    /// # Errors
    /// When the prefix is longer than the address.
    pub fn new(address: IpAddr, prefix: u8) -> Result<Self, NetworkError> {
        let (address, prefix) = match (address, address.to_canonical()) {
            (IpAddr::V6(_), IpAddr::V4(mapped)) if prefix >= MAPPED => {
                (IpAddr::V4(mapped), prefix - MAPPED)
            }
            _ => (address, prefix),
        };
        let longest = if address.is_ipv4() { 32 } else { 128 };
        if prefix > longest {
            return Err(NetworkError);
        }
        Ok(Self {
            address: masked(address, prefix),
            prefix,
        })
    }

    /// A single address.
    #[must_use]
    pub fn host(address: IpAddr) -> Self {
        let address = address.to_canonical();
        let prefix = if address.is_ipv4() { 32 } else { 128 };
        Self { address, prefix }
    }

    /// Its first address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many bits of the address count.
    #[must_use]
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether the address lies in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.prefix) == self.address
    }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX
                .checked_shl(32_u32.saturating_sub(prefix.into()))
                .unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX
                .checked_shl(128_u32.saturating_sub(prefix.into()))
                .unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    /// `192.0.2.0/24`, `2001:db8::/32`, `192.0.2.7`.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let Some((address, prefix)) = text.split_once('/') else {
            return text.parse().map(Self::host).map_err(|_| NetworkError);
        };
        let address = address.parse().map_err(|_| NetworkError)?;
        if prefix.is_empty() || prefix.len() > 3 || !prefix.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NetworkError);
        }
        Self::new(address, prefix.parse().map_err(|_| NetworkError)?)
    }
}

/// Always with the prefix length.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

/// Values by network.
#[derive(Debug, Clone)]
pub(crate) struct NetworkTable<T> {
    values: HashMap<Network, T>,
    /// The prefix lengths that occur, the longest first: of IPv4, of IPv6.
    lengths: [Vec<u8>; 2],
}

impl<T> Default for NetworkTable<T> {
    fn default() -> Self {
        Self {
            values: HashMap::new(),
            lengths: [Vec::new(), Vec::new()],
        }
    }
}

impl<T> NetworkTable<T> {
    /// The value of exactly this network, made if it is new.
    pub(crate) fn entry(&mut self, network: Network) -> &mut T
    where
        T: Default,
    {
        let [four, six] = &mut self.lengths;
        let lengths = if network.address.is_ipv4() { four } else { six };
        let place = lengths.binary_search_by(|length| network.prefix.cmp(length));
        if let Err(place) = place {
            lengths.insert(place, network.prefix);
        }
        self.values.entry(network).or_default()
    }

    /// The values of all networks that hold the address, the smallest network first.
    pub(crate) fn holding(&self, address: IpAddr) -> impl Iterator<Item = &T> {
        let address = address.to_canonical();
        let [four, six] = &self.lengths;
        let lengths = if address.is_ipv4() { four } else { six };
        lengths.iter().filter_map(move |&prefix| {
            self.values.get(&Network {
                address: masked(address, prefix),
                prefix,
            })
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn networks_have_one_spelling() {
        for (written, printed) in [
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("192.0.2.77/24", "192.0.2.0/24"),
            ("192.0.2.77", "192.0.2.77/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:DB8:0:0::1/32", "2001:db8::/32"),
            ("::1", "::1/128"),
            ("::/0", "::/0"),
            ("::ffff:192.0.2.9", "192.0.2.9/32"),
            ("::ffff:192.0.2.9/120", "192.0.2.0/24"),
        ] {
            let network: Network = written.parse().unwrap();
            assert_eq!(network.to_string(), printed);
            assert_eq!(printed.parse(), Ok(network));
        }
        for wrong in [
            "",
            "/",
            "192.0.2.0/",
            "192.0.2.0/33",
            "::/129",
            "192.0.2",
            "example.test",
            "1.2.3.4/+8",
            "192.0.2.0/024x",
            " 192.0.2.1",
            "[::1]",
            "192.0.2.0/0008",
        ] {
            assert_eq!(wrong.parse::<Network>(), Err(NetworkError), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_table_finds_what_asking_every_network_finds(
            networks in prop::collection::vec((any::<[u8; 4]>(), 0_u8..=32, any::<bool>()), 0..30),
            address in any::<[u8; 4]>(),
            near in 0_usize..30,
        ) {
            let make = |bytes: [u8; 4], prefix: u8, six: bool| {
                let four = Ipv4Addr::from(bytes);
                if six {
                    let [a, b, c, d] = bytes;
                    let high = u16::from_be_bytes([a, b]);
                    let low = u16::from_be_bytes([c, d]);
                    let address = Ipv6Addr::new(high, low, 0, 0, 0, 0, 0, 1);
                    Network::new(address.into(), prefix * 4).unwrap()
                } else {
                    Network::new(four.into(), prefix).unwrap()
                }
            };
            let networks: Vec<_> = networks.into_iter().map(|(a, p, s)| make(a, p, s)).collect();
            let mut table = NetworkTable::<Vec<usize>>::default();
            for (number, network) in networks.iter().enumerate() {
                table.entry(*network).push(number);
            }
            // Half of the addresses asked for are those of a network.
            let address = networks.get(near).map_or(IpAddr::V4(address.into()), Network::address);
            let mut found: Vec<_> = table.holding(address).flatten().copied().collect();
            let prefixes: Vec<_> = found.iter().map(|&number| networks[number].prefix()).collect();
            prop_assert!(prefixes.is_sorted_by(|left, right| left >= right));
            found.sort_unstable();
            let naive: Vec<_> = (0..networks.len())
                .filter(|&number| networks[number].contains(address))
                .collect();
            prop_assert_eq!(found, naive);
        }
    }
}
