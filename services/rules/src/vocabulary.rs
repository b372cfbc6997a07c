//! What rules may ask about: the scopes patterns are applied to, numbers, facts.
//!
//! The names here are the whole vocabulary of rule files; an unknown name is refused with the
//! nearest known one. What each means exactly is in its documentation, from which the table in
//! docs/rules.md is made.

use std::fmt;
use std::str::FromStr;

/// A part of a message or of how it came: one or several haystacks, each matched on its own.
///
/// Text is UTF-8 unless it says otherwise; what is decoded keeps no encoded words, no transfer
/// encoding and no folding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// `header.NAME`, `header.NAME.raw`, `header.NAME.address`, `header.NAME.name`: the fields of
    /// that name at the top of the message, one haystack each; several addresses one each.
    Header {
        /// The field's name, lower case.
        name: String,
        /// Which part of its value.
        part: HeaderPart,
    },
    /// `mime.NAME` and `mime.NAME.raw`: the fields of that name in the headers of MIME parts.
    Mime {
        /// The field's name, lower case.
        name: String,
        /// Whether the value is taken as it stands.
        raw: bool,
    },
    /// A scope without a parameter.
    Plain(Plain),
}

/// Which part of a header field is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HeaderPart {
    /// The decoded value, unfolded.
    Value,
    /// The value as it stands, folds included, without the blank after the colon.
    Raw,
    /// Its addresses, `user@host`, one haystack each.
    Address,
    /// The display names of its addresses, decoded, one haystack each.
    Name,
}

macro_rules! vocabulary {
    ($(#[$outer:meta])* $kind:ident { $($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+ }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $kind { $($(#[doc = $doc])+ $variant,)+ }

        impl $kind {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name in rule files.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it means.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+),)+ }
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

vocabulary! {
    /// A scope that needs no name of a field.
    Plain {
        /// The header: each field as `Name: decoded value`, a line each, in one haystack.
        Headers = "headers",
        /// The header section as it stands, in one haystack.
        HeadersRaw = "headers.raw",
        /// The message as it was received, header and body, in one haystack.
        Full = "full",
        /// What a reader sees, a paragraph a haystack, white space as single blanks; the subject is the first.
        Body = "body",
        /// The text parts decoded but not rendered, in pieces of at most 4 KiB that end at line ends.
        RawBody = "raw_body",
        /// What a reader sees of all text parts, in one haystack, without the subject.
        Text = "text",
        /// The text that hides from readers (HTML hidden, invisible or off screen), in one haystack.
        HiddenText = "hidden_text",
        /// The URLs of text, links, images, forms and attachments' names: as written and normalised.
        Url = "url",
        /// The hosts of URLs, lower case, A-labels.
        UrlHost = "url.host",
        /// The registrable domains of URLs (public suffix and one label).
        UrlDomain = "url.domain",
        /// The top-level labels of URLs' hosts.
        UrlTld = "url.tld",
        /// The path, query and fragment of URLs.
        UrlPath = "url.path",
        /// What readers see of links: the text between <a> and </a>.
        LinkText = "link_text",
        /// E-mail addresses in the text, lower case.
        BodyAddress = "body_address",
        /// The author's address (From), lower case.
        From = "from",
        /// The author's display name, decoded.
        FromName = "from.name",
        /// The domain of the author's address.
        FromDomain = "from.domain",
        /// The Reply-To addresses, lower case.
        ReplyTo = "reply_to",
        /// Their domains.
        ReplyToDomain = "reply_to.domain",
        /// The envelope sender, lower case; the empty string for reports.
        EnvelopeFrom = "envelope_from",
        /// Its domain.
        EnvelopeFromDomain = "envelope_from.domain",
        /// The envelope recipients, lower case.
        Recipient = "recipient",
        /// Their domains.
        RecipientDomain = "recipient.domain",
        /// The addresses of To and Cc, lower case.
        To = "to",
        /// Their domains.
        ToDomain = "to.domain",
        /// The file names of attachments, decoded.
        AttachmentName = "attachment_name",
        /// The types of attachments by their content, such as `application/zip`.
        AttachmentType = "attachment_type",
        /// The names of files inside archives, nested ones too.
        ArchiveName = "archive_name",
        /// The name the client said in EHLO or HELO.
        Helo = "helo",
        /// The client's confirmed name; none when its name does not lead back to it.
        ClientName = "client_name",
        /// The client's address.
        ClientAddress = "client_address",
        /// The languages of the text, two letters each, when it can be told.
        Language = "language",
        /// Relays of the Received chain that we trust, in SpamAssassin's `[ ip=… rdns=… helo=… ]` form, one haystack.
        RelaysTrusted = "relays.trusted",
        /// Those that we do not trust, the nearest first, in the same form.
        RelaysUntrusted = "relays.untrusted",
        /// Message-ID, Resent-Message-ID and X-Message-ID.
        MessageIds = "message_ids",
    }
}

vocabulary! {
    /// A number that is known of every message.
    Number {
        /// Octets of the message.
        Size = "size",
        /// Fields of the header.
        HeaderFields = "header_fields",
        /// Octets of the header.
        HeaderSize = "header_size",
        /// Octets of the longest line.
        LongestLine = "longest_line",
        /// Characters of the visible text.
        TextLength = "text_length",
        /// Words of the visible text.
        Words = "words",
        /// Lines of the visible text.
        Lines = "lines",
        /// Characters of the text that hides from readers.
        HiddenLength = "hidden_length",
        /// Capitals among the letters of the visible text, in percent.
        TextCapitals = "text_capitals",
        /// Characters of the visible text outside ASCII, in percent.
        TextNonAscii = "text_non_ascii",
        /// Characters of the subject, decoded.
        SubjectLength = "subject_length",
        /// Letters of the subject.
        SubjectLetters = "subject_letters",
        /// Capitals among the letters of the subject, in percent.
        SubjectCapitals = "subject_capitals",
        /// Exclamation and question marks of the subject.
        SubjectMarks = "subject_marks",
        /// Currency signs of the subject.
        SubjectCurrency = "subject_currency",
        /// Different URLs, links and plain ones.
        Urls = "urls",
        /// Different registrable domains of URLs.
        UrlDomains = "url_domains",
        /// Links of HTML parts.
        Links = "links",
        /// Images that HTML parts show.
        Images = "images",
        /// Of them those loaded from elsewhere.
        RemoteImages = "remote_images",
        /// Octets of HTML for each character a reader sees, at most 1,000,000.
        HtmlPerText = "html_per_text",
        /// Words of the plain part that the HTML part lacks, in percent; 0 unless both are there.
        AlternativeDifference = "alternative_difference",
        /// Envelope recipients.
        Recipients = "recipients",
        /// Addresses in To and Cc.
        Addressees = "addressees",
        /// MIME parts, multiparts included.
        Parts = "parts",
        /// Text parts.
        TextParts = "text_parts",
        /// Attachments.
        Attachments = "attachments",
        /// Files inside archives.
        ArchiveFiles = "archive_files",
        /// Received fields.
        Received = "received",
        /// Hours by which Date lies ahead of now; negative when it lies behind.
        DateSkewHours = "date_skew_hours",
        /// Characters of zero width in subject, names and text.
        ZeroWidth = "zero_width",
        /// Words that mix letters of several scripts.
        MixedScriptWords = "mixed_script_words",
        /// Telephone numbers in the text.
        PhoneNumbers = "phone_numbers",
        /// Money amounts in the text.
        MoneyAmounts = "money_amounts",
        /// Octets of the text between the tags of HTML parts, decoded: white space and hidden text count, scripts, styles and comments do not.
        HtmlText = "html_text",
        /// Octets of text/plain parts for each hundred octets of text/html parts, both decoded, attachments left out; 100 unless both are there.
        PlainPerHtml = "plain_per_html",
        /// Octets of the longest line of parts in base64 as it stands, without its line end; 0 without such parts.
        Base64Line = "base64_line",
        /// Lines of the visible text without a visible character, in percent; 0 if there are no lines.
        BlankLines = "blank_lines",
        /// Octets of the From fields as they stand that are controls (but tab and line end), DEL or outside ASCII, in percent; 0 if the field is UTF-8 without such controls.
        FromIllegal = "from_illegal",
        /// The same of the whole header.
        HeaderIllegal = "header_illegal",
    }
}

vocabulary! {
    /// A fact that holds of a message or does not.
    Flag {
        /// The sender signed in here, or is in an own network.
        Authenticated = "authenticated",
        /// The client's address is private or loopback.
        ClientIsNear = "client_is_near",
        /// The envelope sender is empty: a report.
        NullSender = "null_sender",
        /// There is a text/plain part that is no attachment.
        HasPlain = "has_plain",
        /// There is a text/html part that is no attachment.
        HasHtml = "has_html",
        /// HTML hides text by style or attribute.
        HtmlHiddenText = "html.hidden_text",
        /// HTML shows text in a size nobody can read.
        HtmlTinyText = "html.tiny_text",
        /// HTML shows text in (nearly) the colour of its background.
        HtmlLowContrast = "html.low_contrast",
        /// HTML has a form.
        HtmlForm = "html.form",
        /// HTML asks for a password.
        HtmlPassword = "html.password",
        /// HTML has a script or an event handler.
        HtmlScript = "html.script",
        /// HTML has a frame.
        HtmlFrame = "html.frame",
        /// HTML embeds an object, applet or embed.
        HtmlObject = "html.object",
        /// HTML loads a style sheet from elsewhere.
        HtmlRemoteStyle = "html.remote_style",
        /// HTML refreshes to another page.
        HtmlRefresh = "html.refresh",
        /// HTML sets a base address.
        HtmlBase = "html.base",
        /// HTML has no closing tags where it needs them, or nests wrongly.
        HtmlUnbalanced = "html.unbalanced",
        /// HTML consists of images and (nearly) no text.
        HtmlImageOnly = "html.image_only",
        /// A link shows an address of one domain and leads to another.
        LinkMismatch = "link.mismatch",
        /// A link shows https and leads to http.
        LinkDowngrade = "link.downgrade",
        /// A URL's host is an IP address.
        UrlIp = "url.ip",
        /// A URL's host is an IP address in octal, hexadecimal or as one number.
        UrlObfuscatedIp = "url.obfuscated_ip",
        /// A URL has a user part, `https://bank.test@evil.test/`.
        UrlUser = "url.user",
        /// A URL has a port that is not its scheme's.
        UrlPort = "url.port",
        /// A URL's host has a label in punycode.
        UrlPunycode = "url.punycode",
        /// A URL's host mixes scripts or imitates Latin letters.
        UrlHomograph = "url.homograph",
        /// A URL's host is escaped with percent signs or holds invisible characters.
        UrlObfuscated = "url.obfuscated",
        /// A URL carries a whole other URL in its path or query.
        UrlNested = "url.nested",
        /// A URL of the scheme data: or javascript:.
        UrlScript = "url.script",
        /// A URL carries a recipient's address.
        UrlRecipient = "url.recipient",
        /// The subject is encoded although it is plain ASCII.
        SubjectEncodedNeedlessly = "subject.encoded_needlessly",
        /// The author's name is encoded although it is plain ASCII.
        FromEncodedNeedlessly = "from.encoded_needlessly",
        /// The author's display name shows another address than the author's.
        FromNameIsAddress = "from.name_is_address",
        /// The author's display name shows a domain other than the author's.
        FromNameIsDomain = "from.name_is_domain",
        /// The author is also a recipient.
        FromIsRecipient = "from.is_recipient",
        /// The envelope sender's domain is not the author's (registrable domains compared).
        EnvelopeFromDiffers = "envelope_from.differs",
        /// Reply-To leads to another domain than the author's.
        ReplyToDiffers = "reply_to.differs",
        /// Reply-To equals From.
        ReplyToIsFrom = "reply_to.is_from",
        /// No recipient of the envelope stands in To or Cc.
        RecipientHidden = "recipient.hidden",
        /// To is empty, missing or "undisclosed recipients".
        ToUndisclosed = "to.undisclosed",
        /// A header field carries raw octets outside ASCII.
        HeaderEightBit = "header.eight_bit",
        /// A text part is encoded in base64 although it is plain ASCII.
        TextBase64Needlessly = "text.base64_needlessly",
        /// The text has characters that turn the direction of writing.
        TextDirectionOverride = "text.direction_override",
        /// There is no visible text.
        TextEmpty = "text.empty",
        /// The message is signed or encrypted by S/MIME or OpenPGP.
        SignedOrEncrypted = "signed_or_encrypted",
        /// The message came over a mailing list: it has the list's fields.
        MailingList = "mailing_list",
        /// The message is a report: multipart/report.
        Report = "report",
        /// The message was sent by a program on its own: Auto-Submitted, vacation.
        Automatic = "automatic",
        /// The message carries a calendar part.
        Calendar = "calendar",
        /// An attachment is a program by its content.
        AttachmentExecutable = "attachment.executable",
        /// An attachment's name has two extensions, the last one dangerous, `invoice.pdf.exe`.
        AttachmentDoubleExtension = "attachment.double_extension",
        /// An attachment's content is not what its name or declared type says.
        AttachmentMismatch = "attachment.mismatch",
        /// An archive or document cannot be opened without a password.
        AttachmentEncrypted = "attachment.encrypted",
        /// An Office document has macros.
        AttachmentMacro = "attachment.macro",
        /// An Office document has macros that run by themselves.
        AttachmentAutoMacro = "attachment.auto_macro",
        /// An Office document loads something from elsewhere (template injection, DDE, OLE link).
        AttachmentRemote = "attachment.remote",
        /// An archive holds an archive.
        AttachmentNested = "attachment.nested",
        /// An archive is damaged or built to explode.
        AttachmentBomb = "attachment.bomb",
        /// An archive holds a program or script.
        ArchiveExecutable = "archive.executable",
        /// A PDF has scripts, launches something or opens an address by itself.
        AttachmentActivePdf = "attachment.active_pdf",
        /// A part in quoted-printable has a line of more than 79 octets as it stands, without its line end.
        MimeLongQuotedLine = "mime.long_quoted_line",
        /// A multipart/alternative has a part directly inside that is none of text/*, multipart/related and application/rtf.
        MimeAlternativeOther = "mime.alternative_other",
        /// A text part that says US-ASCII, or no character set, has octets outside ASCII when decoded.
        TextUndeclaredEightBit = "text.undeclared_eight_bit",
        /// The subject is the local part of the first To address, or calls it: after Re: or Fw: and at most a word, or first and followed by punctuation.
        SubjectRecipient = "subject.recipient",
        /// To and Cc together name at least seven addresses, in the order of their lower-case octets.
        RecipientsSorted = "recipients.sorted",
        /// The registrable domain of the envelope sender is that of the client's confirmed name.
        EnvelopeFromClient = "envelope_from.is_client",
        /// Something was too large, too deep or too much to be looked at in full.
        BudgetExceeded = "budget_exceeded",
        /// The host after the @ of Message-ID has the registrable domain of the author's address.
        MessageIdMatchesFrom = "message_id.matches_from",
        /// The host after the @ of Message-ID has the registrable domain of an envelope recipient, and not the author's.
        MessageIdMatchesRecipient = "message_id.matches_recipient",
        /// The subject has the whole address of an envelope recipient, or its local part (4 characters or more) as a word.
        SubjectHasRecipient = "subject.has_recipient",
        /// The visible text has the whole address of an envelope recipient.
        TextHasRecipient = "text.has_recipient",
        /// The author's display name has the domain (whole, or its registrable part's first label as a word of 4 characters or more) or address of an envelope recipient, while the author's registrable domain is another.
        FromNameHasRecipientDomain = "from.name_has_recipient_domain",
        /// To and Cc together have at least 6 different addresses, and their order is that of the alphabet, ascending.
        AddresseesSorted = "addressees.sorted",
        /// To and Cc together have at least 6 different addresses of which at least 80 percent begin with the same 3 characters as the one before.
        AddresseesSimilar = "addressees.similar",
        /// A text part that declares 7bit, or no transfer encoding, has octets outside ASCII.
        TextEightBitUndeclared = "text.eight_bit_undeclared",
        /// A link of an HTML part has an image and no visible text for its content.
        HtmlLinkedImage = "html.linked_image",
        /// The client's confirmed name has its IPv4 address: at least three of the four octets in decimal (zeros before them allowed), adjacent, in order or reversed, with at most one character that is no digit between them; or all four in hexadecimal, in order.
        ClientNameHasAddress = "client_name.has_address",
        /// HELO has the client's IPv4 address, as in `client_name.has_address`; an address literal does not count.
        HeloHasAddress = "helo.has_address",
        /// A URL's registrable domain is that of the author's address.
        UrlAuthorDomain = "url.author_domain",
    }
}

/// A name is not in the vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no {kind} {name:?}{}", hint.map_or_else(String::new, |hint| format!("; did you mean {hint:?}?")))]
pub struct Unknown {
    /// What was looked for: a scope, number or flag.
    pub kind: &'static str,
    /// The name.
    pub name: String,
    /// The nearest known name, if one is near.
    pub hint: Option<&'static str>,
}

fn lookup<T: Copy>(
    kind: &'static str,
    all: &[T],
    name_of: impl Fn(T) -> &'static str,
    name: &str,
) -> Result<T, Unknown> {
    if let Some(&found) = all.iter().find(|&&item| name_of(item) == name) {
        return Ok(found);
    }
    let hint = all
        .iter()
        .map(|&item| name_of(item))
        .map(|known| (strsim::jaro_winkler(known, name), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, known)| known);
    Err(Unknown {
        kind,
        name: name.chars().take(80).collect(),
        hint,
    })
}

impl FromStr for Number {
    type Err = Unknown;

    fn from_str(name: &str) -> Result<Self, Unknown> {
        lookup("number", Self::ALL, Self::name, name)
    }
}

impl FromStr for Flag {
    type Err = Unknown;

    fn from_str(name: &str) -> Result<Self, Unknown> {
        lookup("flag", Self::ALL, Self::name, name)
    }
}

impl FromStr for Scope {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        if text == "header[*]" {
            return Ok(Self::Plain(Plain::Headers));
        }
        let field = |name: &str| {
            let sound = !name.is_empty()
                && name.len() <= 76
                && name.bytes().all(|b| b.is_ascii_graphic() && b != b':');
            sound.then(|| name.to_ascii_lowercase())
        };
        if let Some(rest) = text.strip_prefix("header.") {
            let (name, part) = match rest.rsplit_once('.') {
                Some((name, "raw")) => (name, HeaderPart::Raw),
                Some((name, "address")) => (name, HeaderPart::Address),
                Some((name, "name")) => (name, HeaderPart::Name),
                _ => (rest, HeaderPart::Value),
            };
            if let Some(name) = field(name) {
                return Ok(Self::Header { name, part });
            }
        } else if let Some(rest) = text.strip_prefix("mime.") {
            let (name, raw) = rest
                .strip_suffix(".raw")
                .map_or((rest, false), |name| (name, true));
            if let Some(name) = field(name) {
                return Ok(Self::Mime { name, raw });
            }
        }
        lookup("scope", Plain::ALL, Plain::name, text).map(Self::Plain)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { name, part } => {
                let suffix = match part {
                    HeaderPart::Value => "",
                    HeaderPart::Raw => ".raw",
                    HeaderPart::Address => ".address",
                    HeaderPart::Name => ".name",
                };
                write!(f, "header.{name}{suffix}")
            }
            Self::Mime { name, raw } => {
                write!(f, "mime.{name}{}", if *raw { ".raw" } else { "" })
            }
            Self::Plain(plain) => f.write_str(plain.name()),
        }
    }
}

impl Scope {
    /// The kind of text it holds, which the pattern engine plans by.
    #[must_use]
    pub fn text(&self) -> patterns::Text {
        use patterns::Text;
        match self {
            Self::Header { .. } | Self::Mime { .. } => Text::Header,
            Self::Plain(plain) => match plain {
                Plain::Body | Plain::Text | Plain::HiddenText | Plain::LinkText => Text::Prose,
                Plain::RawBody | Plain::Full => Text::Markup,
                Plain::Url | Plain::UrlHost | Plain::UrlDomain | Plain::UrlTld | Plain::UrlPath => {
                    Text::Address
                }
                _ => Text::Header,
            },
        }
    }
}
