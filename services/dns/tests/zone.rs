//! The system resolver against a zone server over real sockets.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dns::{Absence, Error, Failure, Resolver, System, Zone, ZoneServer};
use smtp::address::Domain;

struct World {
    zone: Arc<Zone>,
    _server: ZoneServer,
    resolver: System,
}

async fn world() -> World {
    let zone = Arc::new(Zone::new());
    let server = ZoneServer::loopback(Arc::clone(&zone)).await.unwrap();
    let resolver = System::new(&[server.local_addr()]).unwrap();
    World {
        zone,
        _server: server,
        resolver,
    }
}

fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

#[tokio::test]
async fn records_of_every_kind_come_back() {
    let w = world().await;
    let address = IpAddr::from([192, 0, 2, 7]);
    w.zone
        .mx("example.test", 20, "backup.example.test")
        .mx("example.test", 10, "MX.Example.test.")
        .a("mx.example.test", Ipv4Addr::new(192, 0, 2, 7))
        .aaaa("mx.example.test", Ipv6Addr::LOCALHOST)
        .txt("example.test", "v=spf1 -all")
        .ptr(address, "mx.example.test");
    let exchanges = w.resolver.mx(&domain("example.test")).await.unwrap();
    let names: Vec<_> = exchanges.iter().map(|mx| mx.exchange.as_str()).collect();
    assert_eq!(names, ["mx.example.test", "backup.example.test"]);
    let addresses = w
        .resolver
        .addresses(&domain("mx.example.test"))
        .await
        .unwrap();
    assert_eq!(addresses, [address, IpAddr::V6(Ipv6Addr::LOCALHOST)]);
    assert_eq!(
        w.resolver.txt("example.test").await.unwrap(),
        ["v=spf1 -all"]
    );
    assert_eq!(
        w.resolver.ptr(address).await.unwrap(),
        [domain("mx.example.test")]
    );
}

#[tokio::test]
async fn absence_says_which_and_null_mx_is_an_answer() {
    let w = world().await;
    w.zone.txt("only.test", "text").mx("silent.test", 0, ".");
    let none = |absence| Err(Error::NoRecords(absence));
    assert_eq!(
        w.resolver.mx(&domain("nowhere.test")).await,
        none(Absence::NoSuchName)
    );
    assert_eq!(
        w.resolver.mx(&domain("only.test")).await,
        none(Absence::NoData)
    );
    assert_eq!(
        w.resolver
            .addresses(&domain("only.test"))
            .await
            .unwrap_err(),
        { Error::NoRecords(Absence::NoData) }
    );
    assert_eq!(
        w.resolver.mx(&domain("silent.test")).await,
        Err(Error::NullMx)
    );
}

#[tokio::test]
async fn a_broken_server_is_temporary_and_bounded_in_time() {
    let w = world().await;
    w.zone.servfail("broken.test").timeout("slow.test");
    let broken = w.resolver.mx(&domain("broken.test")).await.unwrap_err();
    assert_eq!(
        broken,
        Error::Temporary(Failure::Server("Server Failure".to_owned()))
    );
    let start = Instant::now();
    let slow = w.resolver.txt("slow.test").await.unwrap_err();
    assert!(slow.is_temporary(), "{slow}");
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn answers_are_cached_positive_and_negative() {
    let w = world().await;
    w.zone.txt("example.test", "one");
    for _ in 0..20 {
        w.resolver.txt("example.test").await.unwrap();
        w.resolver.txt("nowhere.test").await.unwrap_err();
    }
    assert_eq!(w.zone.queries(), 2);
    w.zone.txt("nowhere.test", "now");
    w.resolver.clear_cache();
    assert_eq!(w.resolver.txt("nowhere.test").await.unwrap(), ["now"]);
}

#[tokio::test]
async fn what_does_not_fit_a_datagram_travels_over_tcp() {
    let w = world().await;
    let long = "x".repeat(3_000);
    w.zone.txt("big.test", &long);
    assert_eq!(w.resolver.txt("big.test").await.unwrap(), [long]);
}

#[tokio::test]
async fn wildcards_and_aliases_resolve() {
    let w = world().await;
    w.zone
        .mx("*.test", 10, "sink.test")
        .a("sink.test", Ipv4Addr::LOCALHOST)
        .cname("www.sink.test", "sink.test");
    let exchanges = w.resolver.mx(&domain("anything.test")).await.unwrap();
    assert_eq!(exchanges[0].exchange.as_str(), "sink.test");
    let addresses = w
        .resolver
        .addresses(&domain("www.sink.test"))
        .await
        .unwrap();
    assert_eq!(addresses, [IpAddr::V4(Ipv4Addr::LOCALHOST)]);
}

#[tokio::test]
async fn the_port_is_free_again_after_a_stop() {
    let server = ZoneServer::loopback(Arc::new(Zone::new())).await.unwrap();
    let address: SocketAddr = server.local_addr();
    server.stop().await;
    ZoneServer::bind(address, Arc::new(Zone::new()))
        .await
        .unwrap();
}

#[tokio::test]
async fn garbage_is_dropped_and_the_server_goes_on() {
    let w = world().await;
    w.zone.txt("example.test", "alive");
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for length in [0_usize, 1, 11, 12, 40, 600] {
        socket
            .send_to(&vec![0xff; length], w._server.local_addr())
            .await
            .unwrap();
    }
    assert_eq!(w.resolver.txt("example.test").await.unwrap(), ["alive"]);
}

#[test]
fn no_name_server_is_a_configuration_error() {
    assert!(matches!(System::new(&[]), Err(Error::Configuration(_))));
}
