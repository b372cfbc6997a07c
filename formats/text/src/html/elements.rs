//! The elements of HTML that matter to rendering, and how they behave.

macro_rules! elements {
    ($($variant:ident = $name:literal $([$($trait_:ident)+])?,)+) => {
        /// An element by its name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum Element {
            /// One that is not in the table.
            Other,
            $($variant,)+
        }

        impl Element {
            /// The element of that name, which is in lower case.
            pub(super) fn named(name: &[u8]) -> Self {
                match name {
                    $($name => Self::$variant,)+
                    _ => Self::Other,
                }
            }

            const fn traits(self) -> Traits {
                match self {
                    Self::Other => Traits::NONE,
                    $(Self::$variant => Traits::NONE$($(.$trait_())+)?,)+
                }
            }
        }
    };
}

/// How an element behaves, in bits.
#[derive(Clone, Copy)]
struct Traits(u8);

impl Traits {
    const NONE: Self = Self(0);
    const BLOCK: u8 = 1;
    const VOID: u8 = 2;
    const OPTIONAL: u8 = 4;
    const FORMATTING: u8 = 8;
    const SPECIAL: u8 = 16;

    const fn block(self) -> Self {
        Self(self.0 | Self::BLOCK | Self::SPECIAL)
    }
    const fn special(self) -> Self {
        Self(self.0 | Self::SPECIAL)
    }
    const fn void(self) -> Self {
        Self(self.0 | Self::VOID)
    }
    const fn optional(self) -> Self {
        Self(self.0 | Self::OPTIONAL)
    }
    const fn formatting(self) -> Self {
        Self(self.0 | Self::FORMATTING)
    }
}

elements! {
    A = b"a" [formatting],
    Address = b"address" [block],
    Applet = b"applet" [special],
    Area = b"area" [void],
    Article = b"article" [block],
    Aside = b"aside" [block],
    Audio = b"audio",
    B = b"b" [formatting],
    Base = b"base" [void],
    Basefont = b"basefont" [void],
    Bgsound = b"bgsound" [void],
    Big = b"big" [formatting],
    Blockquote = b"blockquote" [block],
    Body = b"body" [block optional],
    Br = b"br" [void],
    Button = b"button" [special],
    Caption = b"caption" [block optional],
    Center = b"center" [block],
    Code = b"code" [formatting],
    Col = b"col" [void],
    Colgroup = b"colgroup" [optional special],
    Datalist = b"datalist",
    Dd = b"dd" [block optional],
    Details = b"details" [block],
    Dialog = b"dialog" [block],
    Dir = b"dir" [block],
    Div = b"div" [block],
    Dl = b"dl" [block],
    Dt = b"dt" [block optional],
    Em = b"em" [formatting],
    Embed = b"embed" [void],
    Fieldset = b"fieldset" [block],
    Figcaption = b"figcaption" [block],
    Figure = b"figure" [block],
    Font = b"font" [formatting],
    Footer = b"footer" [block],
    Form = b"form" [block],
    Frame = b"frame" [void],
    Frameset = b"frameset" [block],
    H1 = b"h1" [block],
    H2 = b"h2" [block],
    H3 = b"h3" [block],
    H4 = b"h4" [block],
    H5 = b"h5" [block],
    H6 = b"h6" [block],
    Head = b"head" [block optional],
    Header = b"header" [block],
    Hr = b"hr" [block void],
    Html = b"html" [block optional],
    I = b"i" [formatting],
    Iframe = b"iframe",
    Image = b"image" [void],
    Img = b"img" [void],
    Input = b"input" [void],
    Legend = b"legend" [block],
    Li = b"li" [block optional],
    Link = b"link" [void],
    Main = b"main" [block],
    Map = b"map",
    Meta = b"meta" [void],
    Nav = b"nav" [block],
    Nobr = b"nobr" [formatting],
    Noembed = b"noembed",
    Noframes = b"noframes",
    Noscript = b"noscript",
    Object = b"object" [special],
    Ol = b"ol" [block],
    Optgroup = b"optgroup" [block optional],
    Option = b"option" [block optional],
    P = b"p" [block optional],
    Param = b"param" [void],
    Pre = b"pre" [block],
    S = b"s" [formatting],
    Script = b"script",
    Section = b"section" [block],
    Select = b"select" [special],
    Small = b"small" [formatting],
    Source = b"source" [void],
    Span = b"span",
    Strike = b"strike" [formatting],
    Strong = b"strong" [formatting],
    Style = b"style",
    Sub = b"sub",
    Summary = b"summary" [block],
    Sup = b"sup",
    Table = b"table" [block],
    Tbody = b"tbody" [block optional],
    Td = b"td" [special optional],
    Template = b"template" [special],
    Textarea = b"textarea",
    Tfoot = b"tfoot" [block optional],
    Th = b"th" [special optional],
    Thead = b"thead" [block optional],
    Title = b"title",
    Tr = b"tr" [block optional],
    Track = b"track" [void],
    Tt = b"tt" [formatting],
    U = b"u" [formatting],
    Ul = b"ul" [block],
    Video = b"video",
    Wbr = b"wbr" [void],
    Xmp = b"xmp" [block],
}

impl Element {
    /// How many there are, for tables indexed by `self as usize`.
    pub(super) const COUNT: usize = Self::Xmp as usize + 1;

    const fn has(self, bit: u8) -> bool {
        self.traits().0 & bit != 0
    }

    /// Stands on lines of its own.
    pub(super) const fn is_block(self) -> bool {
        self.has(Traits::BLOCK)
    }

    /// Has no content and no end tag.
    pub(super) const fn is_void(self) -> bool {
        self.has(Traits::VOID)
    }

    /// Its end tag may be left out.
    pub(super) const fn may_stay_open(self) -> bool {
        self.has(Traits::OPTIONAL)
    }

    /// Its end tag counts across block elements.
    pub(super) const fn is_formatting(self) -> bool {
        self.has(Traits::FORMATTING)
    }

    /// End tags of ordinary elements do not reach across it.
    pub(super) const fn is_special(self) -> bool {
        self.has(Traits::SPECIAL)
    }

    /// A cell of a table.
    pub(super) const fn is_cell(self) -> bool {
        matches!(self, Self::Td | Self::Th)
    }

    /// A part of a table: its end tag reaches across everything inside the table.
    pub(super) const fn is_table_part(self) -> bool {
        matches!(
            self,
            Self::Table | Self::Tbody | Self::Td | Self::Tfoot | Self::Th | Self::Thead | Self::Tr
        )
    }

    /// Whether an open `self` ends where `next` starts, if nothing of [`Element::shields`] lies
    /// between.
    pub(super) const fn ends_before(self, next: Self) -> bool {
        match self {
            Self::P => next.is_block() && !matches!(next, Self::Option | Self::Optgroup),
            Self::Li => matches!(next, Self::Li),
            Self::Dt | Self::Dd => matches!(next, Self::Dt | Self::Dd),
            Self::Option => matches!(next, Self::Option | Self::Optgroup),
            Self::Optgroup => matches!(next, Self::Optgroup),
            Self::Td | Self::Th => next.is_table_part() && !matches!(next, Self::Table),
            Self::Tr => matches!(next, Self::Tr | Self::Tbody | Self::Tfoot | Self::Thead),
            Self::Tbody | Self::Tfoot | Self::Thead => {
                matches!(next, Self::Tbody | Self::Tfoot | Self::Thead)
            }
            Self::Caption | Self::Colgroup => {
                matches!(next, Self::Tbody | Self::Tfoot | Self::Thead | Self::Tr)
            }
            _ => false,
        }
    }

    /// Keeps what lies outside from ending because `next` starts inside.
    pub(super) const fn shields(self, next: Self) -> bool {
        match self {
            Self::Table => true,
            Self::Td | Self::Th | Self::Caption => !next.is_table_part(),
            Self::Ul | Self::Ol | Self::Dl => matches!(next, Self::Li | Self::Dt | Self::Dd),
            Self::Select => matches!(next, Self::Option | Self::Optgroup),
            Self::Button | Self::Object | Self::Applet | Self::Template => !next.is_table_part(),
            _ => false,
        }
    }
}
