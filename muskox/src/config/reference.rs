//! Every key with its meaning: the source of `muskox config describe`, of `docs/muskox.toml.md`, of
//! muskox.toml(5) and of the example that packages install.

use std::fmt::Write as _;

use clap_mangen::roff::{Roff, bold, italic, roman};

use super::Config;

/// A key of `muskox.toml`.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The table it stands in; empty at the top.
    pub table: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub meaning: &'static str,
}

const fn key(table: &'static str, name: &'static str, meaning: &'static str) -> Key {
    Key {
        table,
        name,
        meaning,
    }
}

/// Columns of a comment's text in the example.
const COMMENT_WIDTH: usize = 90;

/// All keys in the order of the reference page.
pub const KEYS: &[Key] = &[
    key(
        "",
        "hostname",
        "Name of this server: greetings, Received fields and authentication results carry it. The only key without a default.",
    ),
    key(
        "",
        "data_dir",
        "Directory of the database and of large messages; created with mode 0700. Must be on a local file system.",
    ),
    key(
        "",
        "cache_dir",
        "Directory of what can be made again, such as compiled patterns; may be emptied at any time, and needs no backup. When absent: the one systemd makes for the service (/var/cache/muskox), or else cache below data_dir.",
    ),
    key(
        "smtp",
        "mx",
        "Addresses that receive mail from other servers.",
    ),
    key(
        "smtp",
        "submission",
        "Addresses where users send mail, with STARTTLS.",
    ),
    key(
        "smtp",
        "submissions",
        "Addresses where users send mail, TLS from the first octet.",
    ),
    key(
        "smtp",
        "lmtp",
        "Addresses for LMTP without authentication, for a mail server in front; keep them private.",
    ),
    key(
        "smtp",
        "max_message_bytes",
        "Largest message accepted, announced as SIZE.",
    ),
    key("smtp", "max_recipients", "Most recipients of one message."),
    key(
        "smtp",
        "max_sessions",
        "Most SMTP sessions at a time; more are answered 421.",
    ),
    key(
        "smtp",
        "max_sessions_per_address",
        "Most SMTP sessions at a time from one IP address.",
    ),
    key("imap", "listen", "Addresses for IMAP with STARTTLS."),
    key(
        "imap",
        "listen_tls",
        "Addresses for IMAP, TLS from the first octet.",
    ),
    key(
        "imap",
        "max_append_bytes",
        "Largest message a client may store, announced as APPENDLIMIT.",
    ),
    key(
        "imap",
        "max_sessions",
        "Most IMAP sessions at a time; more are answered BYE.",
    ),
    key(
        "imap",
        "max_sessions_per_address",
        "Most IMAP sessions at a time from one IP address.",
    ),
    key(
        "tls",
        "certificate",
        "PEM file with the certificate chain. Without one the server makes a self-signed certificate in its data directory. Read again on SIGHUP.",
    ),
    key(
        "tls",
        "key",
        "PEM file with the private key of the certificate.",
    ),
    key(
        "dns",
        "nameservers",
        "Resolvers to ask, as address:port; those of the system when empty.",
    ),
    key(
        "queue",
        "relay",
        "Smart host for all outbound mail, as host:port; mail goes to the MX of each domain when absent.",
    ),
    key(
        "queue",
        "connections_per_destination",
        "Most connections at a time to one destination.",
    ),
    key(
        "queue",
        "delay_notice_hours",
        "Hours after which a sender is told that a message is late.",
    ),
    key(
        "queue",
        "give_up_days",
        "Days after which a message is given up and the sender told.",
    ),
    key(
        "filter",
        "greylist_score",
        "Score from which on, below junk_score, a first attempt is answered \"later\"; who comes back is let in. Off when absent.",
    ),
    key(
        "filter",
        "junk_score",
        "Score from which on a message goes to Junk.",
    ),
    key(
        "filter",
        "rewrite_score",
        "Score from which on a message goes to Junk with subject_prefix before its subject. Off when absent.",
    ),
    key(
        "filter",
        "quarantine_score",
        "Score from which on a message is accepted and kept in quarantine. Off when absent.",
    ),
    key(
        "filter",
        "reject_score",
        "Score from which on a message is refused while the sender is connected.",
    ),
    key(
        "filter",
        "discard_score",
        "Score from which on a message is accepted and thrown away. Off when absent.",
    ),
    key(
        "filter",
        "subject_prefix",
        "What stands before the subject of a message that rewrite_score applies to.",
    ),
    key(
        "filter",
        "quarantine_days",
        "Days that mail stays in quarantine.",
    ),
    key(
        "filter",
        "autolearn",
        "Whether the classifier learns from clear verdicts.",
    ),
    key(
        "filter",
        "learn_spam_score",
        "Score from which on a message is learned as spam.",
    ),
    key(
        "filter",
        "learn_ham_score",
        "Score up to which a message is learned as good mail.",
    ),
    key(
        "filter",
        "network",
        "Whether block lists and other name servers are asked about clients, senders and links.",
    ),
    key(
        "filter",
        "lists",
        "Names of block lists to ask although their terms keep them off by default; `muskox filter lists` shows all.",
    ),
    key(
        "filter",
        "lists_off",
        "Names of block lists not to ask although they are on by default.",
    ),
    key(
        "filter",
        "rspamd",
        "Addresses for programs that speak Rspamd's HTTP protocol, such as rspamc; keep them private.",
    ),
    key(
        "filter",
        "milter",
        "Addresses for mail servers that speak the milter protocol, such as Postfix; keep them private.",
    ),
    key(
        "filter",
        "password",
        "Password that programs need to teach over Rspamd's protocol; without one only loopback addresses may.",
    ),
    key(
        "antivirus",
        "clamd",
        "Where clamd listens, a path or host:port. No virus scanner when absent.",
    ),
    key(
        "antivirus",
        "timeout_seconds",
        "Seconds that a scan may take.",
    ),
    key(
        "antivirus",
        "max_bytes",
        "Largest message handed to the scanner; larger ones count as not scanned.",
    ),
    key(
        "antivirus",
        "on_failure",
        "\"accept\" or \"defer\": what happens to mail that could not be scanned.",
    ),
    key(
        "metrics",
        "listen",
        "Address of the private HTTP listener: /metrics, /healthz, /readyz.",
    ),
    key("log", "format", "\"text\" or \"json\"."),
    key(
        "log",
        "level",
        "\"error\", \"warn\", \"info\", \"debug\" or \"trace\". MUSKOX_LOG overrides it, with the syntax of tracing's EnvFilter.",
    ),
    key(
        "control",
        "socket",
        "Unix socket where `muskox` commands find the running server.",
    ),
    key("store", "readers", "Threads that read the database."),
    key(
        "store",
        "cache_mib",
        "Memory for database pages, in MiB, of all connections together.",
    ),
    key(
        "service",
        "user",
        "User that a server becomes that root has started, a name or uid:gid. Not needed under systemd, whose unit names one.",
    ),
    key(
        "service",
        "root",
        "Whether the server may stay root. Without this, or user, it does not start as root.",
    ),
    key(
        "service",
        "sandbox",
        "Whether the server gives up files (Landlock) and system calls (seccomp) that it never needs, and has pages and attachments read by processes that can do nothing else.",
    ),
];

/// The reference page in Markdown.
#[must_use]
pub fn page(example: &Config) -> String {
    let defaults = toml::Value::try_from(example).unwrap_or(toml::Value::Boolean(false));
    let mut page = String::from(
        "# muskox.toml\n\n\
         The server's own settings. Domains, accounts and aliases are in the database: see\n\
         `muskox domain|account|alias --help`. An unknown key is an error. Generated by\n\
         `muskox config describe`.\n",
    );
    let mut table = None;
    for key in KEYS {
        if table != Some(key.table) {
            let heading = if key.table.is_empty() {
                "Top level".into()
            } else {
                format!("[{}]", key.table)
            };
            let _ = write!(
                page,
                "\n## {heading}\n\n| key | default | meaning |\n|---|---|---|\n"
            );
            table = Some(key.table);
        }
        let value =
            default_of(&defaults, key).map_or_else(|| "none".into(), |value| format!("`{value}`"));
        let _ = writeln!(page, "| `{}` | {value} | {} |", key.name, key.meaning);
    }
    page
}

/// The reference page for `man`, muskox.toml(5).
#[must_use]
pub fn man(example: &Config) -> String {
    let defaults = toml::Value::try_from(example).unwrap_or(toml::Value::Boolean(false));
    let mut page = Roff::new();
    let source = concat!("muskox ", env!("MUSKOX_VERSION"));
    page.control("TH", ["muskox.toml", "5", "", source, "Muskox"]);
    page.control("SH", ["NAME"]);
    page.text([roman("muskox.toml - settings of the Muskox mail server")]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([
        roman("The server reads "),
        italic("/etc/muskox/muskox.toml"),
        roman(
            " at its start; $MUSKOX_CONFIG and --config name another file. It is in TOML; an \
             unknown key is an error. Domains, accounts, aliases and rules are not here but in \
             the database: see ",
        ),
        bold("muskox"),
        roman("(1)."),
    ]);
    let mut table = None;
    for key in KEYS {
        if table != Some(key.table) {
            let heading = match key.table {
                "" => "TOP LEVEL".to_owned(),
                table => format!("[{table}]"),
            };
            page.control("SH", [heading.as_str()]);
            table = Some(key.table);
        }
        page.control("TP", []);
        let mut line = vec![bold(key.name)];
        if let Some(value) = default_of(&defaults, key) {
            line.push(roman(format!(" = {value}")));
        }
        page.text(line);
        page.text([roman(key.meaning)]);
    }
    page.control("SH", ["SEE ALSO"]);
    page.text([bold("muskox"), roman("(1)")]);
    page.to_roff()
}

/// A file to start from: every key as a comment with its meaning and its default.
#[must_use]
pub fn example(example: &Config) -> String {
    let defaults = toml::Value::try_from(example).unwrap_or(toml::Value::Boolean(false));
    let mut text = String::from(
        "# Settings of the Muskox mail server; muskox.toml(5) explains them, `muskox config check`\n\
         # reads them. Only hostname must be set. Lines with `#key =` show defaults.\n",
    );
    let mut table = "";
    for key in KEYS {
        if table != key.table {
            let _ = write!(text, "\n[{}]\n", key.table);
            table = key.table;
        }
        text.push('\n');
        for line in wrapped(key.meaning) {
            let _ = writeln!(text, "# {line}");
        }
        let value = value_of(&defaults, key).map_or_else(String::new, |value| format!(" {value}"));
        let _ = writeln!(text, "#{} ={value}", key.name);
    }
    text
}

/// `text` in lines that fit a terminal as comments.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + 1 + word.len() <= COMMENT_WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// What the server takes when a key is absent.
fn default_of(defaults: &toml::Value, key: &Key) -> Option<String> {
    value_of(defaults, key).filter(|_| key.name != "hostname")
}

fn value_of(values: &toml::Value, key: &Key) -> Option<String> {
    let table = if key.table.is_empty() {
        Some(values)
    } else {
        values.get(key.table)
    };
    table?.get(key.name).map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_types_is_explained_and_every_explained_key_exists() {
        let mut config = Config::new(smtp::Domain::parse("mail.example.org").unwrap());
        config.tls.certificate = Some("c".into());
        config.tls.key = Some("k".into());
        config.queue.relay = Some("a:1".into());
        config.cache_dir = Some("d".into());
        config.service.user = Some("u".into());
        config.antivirus.clamd = Some("c".into());
        config.filter.greylist_score = Some(4.0);
        config.filter.rewrite_score = Some(8.0);
        config.filter.quarantine_score = Some(9.0);
        config.filter.discard_score = Some(99.0);
        config.filter.password = Some("p".into());
        let value = toml::Value::try_from(&config).unwrap();
        let mut actual = Vec::new();
        for (name, value) in value.as_table().unwrap() {
            match value.as_table() {
                Some(table) => actual.extend(table.keys().map(|key| (name.as_str(), key.as_str()))),
                None => actual.push(("", name.as_str())),
            }
        }
        actual.sort_unstable();
        let mut explained: Vec<_> = KEYS.iter().map(|key| (key.table, key.name)).collect();
        explained.sort_unstable();
        assert_eq!(actual, explained);
    }

    #[test]
    fn the_example_with_its_comments_taken_away_is_the_default() {
        let defaults = Config::new(smtp::Domain::parse("mail.example.org").unwrap());
        let text = example(&defaults);
        assert!(text.lines().all(|line| line.chars().count() <= 100));
        let lines: Vec<_> = text
            .lines()
            .filter_map(|line| match line.strip_prefix('#') {
                // Prose, and keys without a default.
                Some(rest) if rest.starts_with(' ') || rest.ends_with('=') => None,
                Some(rest) => Some(rest),
                None => Some(line),
            })
            .collect();
        let read = Config::parse(&lines.join("\n"), "muskox.toml".as_ref()).unwrap();
        assert_eq!(read, defaults);
        // As it is, it lacks the one thing that nobody else knows.
        let error = Config::parse(&text, "muskox.toml".as_ref()).unwrap_err();
        assert!(
            error.to_string().contains("missing key `hostname`"),
            "{error}"
        );
    }

    #[test]
    fn the_committed_reference_page_is_current() {
        let page = page(&Config::new(
            smtp::Domain::parse("mail.example.org").unwrap(),
        ));
        assert_eq!(
            include_str!("../../../docs/muskox.toml.md"),
            page,
            "run `cargo xtask docs`"
        );
    }
}
