//! Addresses of clients, and whom to believe about them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// Networks, as `10.0.0.0/8, fd00::/8, 192.0.2.7`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<(IpAddr, u8)>);

impl Networks {
    /// Whether an address is in one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = bits(address);
        self.0.iter().any(|(network, length)| {
            let width = if network.is_ipv4() { 32 } else { 128 };
            let (network, (bits, same)) = (bits(*network).0, (address.0, address.1 == width));
            let host = u32::from(width - length);
            same && network.checked_shr(host).unwrap_or(0) == bits.checked_shr(host).unwrap_or(0)
        })
    }

    /// The client behind a connection from `peer`. A trusted proxy is believed about whom it forwards for: of
    /// `X-Forwarded-For`, to which every proxy adds at the right, the right-most address that is no trusted proxy counts.
    pub fn client<'a>(
        &self,
        peer: IpAddr,
        forwarded: impl DoubleEndedIterator<Item = &'a str>,
    ) -> IpAddr {
        let mut client = peer.to_canonical();
        let mut said = forwarded.rev().flat_map(|line| line.rsplit(','));
        while self.contains(client) {
            let Some(before) = said.next().and_then(address) else {
                break;
            };
            client = before;
        }
        client
    }
}

/// The number of an address, and how many bits it has.
fn bits(address: IpAddr) -> (u128, u8) {
    match address.to_canonical() {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32),
        IpAddr::V6(v6) => (u128::from(v6), 128),
    }
}

/// Reads an address, with or without a port and brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let found = bare.parse().ok();
    let found = found.or_else(|| {
        text.parse()
            .ok()
            .map(|with_port: SocketAddr| with_port.ip())
    });
    found.map(|ip: IpAddr| ip.to_canonical())
}

/// What stands for one client: an IPv4 address, or the /64 that a subscriber of IPv6 has at least.
pub fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl FromStr for Networks {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let networks = parts.map(|part| {
            let (address, length) = part
                .split_once('/')
                .map_or((part, None), |(a, l)| (a, Some(l)));
            let address: IpAddr = address.parse().map_err(drop)?;
            let width = if address.is_ipv4() { 32 } else { 128 };
            let length = length.map_or(Ok(width), str::parse).map_err(drop)?;
            (length <= width).then_some((address, length)).ok_or(())
        });
        networks.collect::<Result<_, ()>>().map(Self)
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(|(a, l)| format!("{a}/{l}")).collect();
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &str, peer: &str, forwarded: &[&str]) -> String {
        let trusted: Networks = trusted.parse().unwrap();
        let client = trusted.client(peer.parse().unwrap(), forwarded.iter().copied());
        client.to_string()
    }

    #[test]
    fn a_proxy_that_is_trusted_is_believed_and_nobody_else() {
        let cases: [(&str, &str, &[&str], &str); 11] = [
            ("", "192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
            ("10.0.0.0/8", "192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
            ("10.0.0.0/8", "10.1.2.3", &["198.51.100.7"], "198.51.100.7"),
            (
                "10.0.0.0/8",
                "10.1.2.3",
                &["1.1.1.1, 198.51.100.7, 10.9.9.9"],
                "198.51.100.7",
            ),
            (
                "10.0.0.0/8",
                "10.1.2.3",
                &["1.1.1.1", "198.51.100.7"],
                "198.51.100.7",
            ),
            ("10.0.0.0/8", "10.1.2.3", &["1.1.1.1, unknown"], "10.1.2.3"),
            ("10.0.0.0/8", "10.1.2.3", &[], "10.1.2.3"),
            (
                "10.0.0.0/8",
                "::ffff:10.1.2.3",
                &["[2001:db8::1]:443"],
                "2001:db8::1",
            ),
            (
                "fd00::/8, 10.1.2.3",
                "fd12::1",
                &["198.51.100.7:80, 10.1.2.3"],
                "198.51.100.7",
            ),
            ("0.0.0.0/0", "10.1.2.3", &["2001:db8::1"], "2001:db8::1"),
            ("::/0", "10.1.2.3", &["2001:db8::1"], "10.1.2.3"),
        ];
        for (trusted, peer, forwarded, expected) in cases {
            assert_eq!(
                client(trusted, peer, forwarded),
                expected,
                "{trusted} {peer} {forwarded:?}"
            );
        }
    }

    #[test]
    fn networks_are_read_and_printed() {
        let networks: Networks = " 10.0.0.0/8,::1 ".parse().unwrap();
        assert_eq!(networks.to_string(), "10.0.0.0/8, ::1/128");
        for wrong in ["10.0.0.0/33", "::/129", "localhost", "10.0.0.0/", "10/8"] {
            assert_eq!(wrong.parse::<Networks>(), Err(()), "{wrong}");
        }
    }

    #[test]
    fn a_subscriber_has_a_whole_network() {
        let of = |text: &str| subscriber(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
