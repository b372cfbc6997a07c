//! What the store, the queue and the process count, in the words of OpenMetrics.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use queue::Queue;
use store::Db;

use crate::version::{CHANNEL, VERSION};

/// Shows the services' own counters in `registry`.
pub(super) fn register(registry: &mut Registry, db: Db, queue: Queue) {
    let build = vec![
        ("version", VERSION),
        ("channel", CHANNEL),
        ("arch", std::env::consts::ARCH),
    ];
    registry.register("muskox_build", "The program", Info::new(build));
    registry.register_collector(Box::new(StoreCollector(db)));
    registry.register_collector(Box::new(QueueCollector(queue)));
    registry.register_collector(Box::new(ProcessCollector));
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let counter = ConstCounter::new(value);
    counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    (name, unit): (&str, Option<&Unit>),
    help: &str,
    value: u64,
) -> fmt::Result {
    let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
    gauge.encode(encoder.encode_descriptor(name, help, unit, gauge.metric_type())?)
}

#[derive(Debug)]
struct StoreCollector(Db);

impl Collector for StoreCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let metrics = self.0.metrics();
        let encoder = &mut encoder;
        counter(
            encoder,
            "muskox_store_commits",
            "Groups that reached the disk",
            metrics.commits,
        )?;
        counter(
            encoder,
            "muskox_store_writes",
            "Transactions committed",
            metrics.writes,
        )?;
        counter(
            encoder,
            "muskox_store_undone",
            "Transactions undone",
            metrics.undone,
        )?;
        counter(
            encoder,
            "muskox_store_reads",
            "Read transactions",
            metrics.reads,
        )?;
        counter(
            encoder,
            "muskox_store_checkpoints",
            "Checkpoints",
            metrics.checkpoints,
        )?;
        gauge(
            encoder,
            ("muskox_store_queued", None),
            "Transactions waiting",
            metrics.queued,
        )?;
        let bytes = Some(&Unit::Bytes);
        gauge(
            encoder,
            ("muskox_store_wal", bytes),
            "Size of the log",
            metrics.wal_bytes,
        )?;
        let histograms = [
            (
                "muskox_store_batch_size",
                "Transactions in a group",
                &metrics.batch_size,
            ),
            (
                "muskox_store_commit_duration_seconds",
                "One commit",
                &metrics.commit_seconds,
            ),
            (
                "muskox_store_read_duration_seconds",
                "One read transaction",
                &metrics.read_seconds,
            ),
        ];
        for (name, help, histogram) in histograms {
            histogram_of(encoder, name, help, histogram)?;
        }
        Ok(())
    }
}

fn histogram_of(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    histogram: &store::Histogram,
) -> fmt::Result {
    use prometheus_client::encoding::NoLabelSet;
    use prometheus_client::metrics::MetricType;

    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    let mut buckets = histogram.buckets.clone();
    buckets.push((f64::MAX, histogram.above));
    metric.encode_histogram::<NoLabelSet>(histogram.sum, histogram.count, &buckets, None)
}

#[derive(Debug)]
struct QueueCollector(Queue);

impl Collector for QueueCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let metrics = self.0.metrics();
        let encoder = &mut encoder;
        let counters = [
            (
                "muskox_queue_messages_accepted",
                "Messages accepted",
                metrics.messages_accepted_total,
            ),
            (
                "muskox_local_deliveries",
                "Copies in local mailboxes",
                metrics.local_deliveries_total,
            ),
            (
                "muskox_remote_deliveries",
                "Recipients reached elsewhere",
                metrics.remote_deliveries_total,
            ),
            (
                "muskox_queue_deferrals",
                "Attempts put off",
                metrics.deferrals_total,
            ),
            (
                "muskox_queue_failures",
                "Recipients given up",
                metrics.failures_total,
            ),
            (
                "muskox_queue_reports",
                "Delivery reports made",
                metrics.reports_total,
            ),
            (
                "muskox_queue_connections",
                "Connections to other servers",
                metrics.connections_total,
            ),
            (
                "muskox_queue_connections_clear",
                "Those without TLS",
                metrics.connections_clear_total,
            ),
            (
                "muskox_queue_connections_reused",
                "Messages on a kept connection",
                metrics.connections_reused_total,
            ),
        ];
        for (name, help, value) in counters {
            counter(encoder, name, help, value)?;
        }
        let in_flight = ("muskox_queue_deliveries_in_flight", None);
        gauge(
            encoder,
            in_flight,
            "Deliveries in progress",
            metrics.deliveries_in_flight,
        )
    }
}

#[derive(Debug)]
struct ProcessCollector;

impl Collector for ProcessCollector {
    #[expect(clippy::disallowed_methods, reason = "/proc answers without a disk")]
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let pages = statm
            .split_whitespace()
            .nth(1)
            .and_then(|pages| pages.parse::<u64>().ok());
        let page = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
        let resident = pages.unwrap_or_default().saturating_mul(page);
        let name = ("process_resident_memory", Some(&Unit::Bytes));
        gauge(&mut encoder, name, "Resident memory", resident)?;
        let files = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        let files = u64::try_from(files).unwrap_or(u64::MAX);
        gauge(
            &mut encoder,
            ("process_open_fds", None),
            "Open file descriptors",
            files,
        )
    }
}
