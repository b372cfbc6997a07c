//! Colours as CSS and HTML write them.
//!
//! CSS Color 3: names, `#rgb`, `#rrggbb` (with alpha too) and `rgb()`. Other notations, such as
//! `hsl()`, are a colour we do not know.

/// What an element's text or background is painted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    /// Nothing: what lies behind shows through.
    Transparent,
    /// A colour: red, green, blue.
    Solid([u8; 3]),
    /// A picture, a gradient or a notation we do not know.
    Unknown,
}

/// Parses a colour, without blanks around it. `None` for what means "as it would be otherwise".
pub(super) fn parse(text: &str) -> Option<Paint> {
    if let Some(digits) = text.strip_prefix('#') {
        return Some(hexadecimal(digits).unwrap_or(Paint::Unknown));
    }
    let mut buffer = [0u8; 24];
    let Some(lower) = buffer.get_mut(..text.len()) else {
        return Some(function(text).unwrap_or(Paint::Unknown));
    };
    lower.copy_from_slice(text.as_bytes());
    lower.make_ascii_lowercase();
    match &*lower {
        b"" | b"inherit" | b"initial" | b"unset" | b"currentcolor" | b"auto" | b"windowtext" => {
            None
        }
        b"transparent" | b"none" => Some(Paint::Transparent),
        name => Some(
            named(name)
                .map(Paint::Solid)
                .or_else(|| function(text))
                .unwrap_or(Paint::Unknown),
        ),
    }
}

/// Parses the value of a `color` or `bgcolor` attribute: also six digits without `#`.
pub(super) fn attribute(text: &str) -> Option<Paint> {
    let text = text.trim();
    if text.len() == 6
        && let Some(paint) = hexadecimal(text)
    {
        return Some(paint);
    }
    parse(text)
}

/// The largest difference of two colours in a channel.
pub(super) fn distance(one: [u8; 3], other: [u8; 3]) -> u8 {
    one.iter()
        .zip(other)
        .map(|(left, right)| left.abs_diff(right))
        .max()
        .unwrap_or(0)
}

fn named(name: &[u8]) -> Option<[u8; 3]> {
    let at = NAMES
        .binary_search_by(|(known, _)| known.as_bytes().cmp(name))
        .ok()?;
    NAMES.get(at).map(|(_, colour)| *colour)
}

fn hexadecimal(digits: &str) -> Option<Paint> {
    let mut buffer = [0u8; 8];
    let count = digits.len();
    let nibbles = buffer.get_mut(..count)?;
    for (nibble, digit) in nibbles.iter_mut().zip(digits.bytes()) {
        *nibble = u8::try_from(char::from(digit).to_digit(16)?).ok()?;
    }
    match *nibbles {
        [_, _, _, 0] | [_, _, _, _, _, _, 0, 0] => Some(Paint::Transparent),
        [r, g, b] | [r, g, b, _] => Some(Paint::Solid([r * 17, g * 17, b * 17])),
        [a, b, c, d, e, f] | [a, b, c, d, e, f, _, _] => {
            Some(Paint::Solid([a * 16 + b, c * 16 + d, e * 16 + f]))
        }
        _ => None,
    }
}

/// `rgb(255, 255, 255)`, `rgba(0 0 0 / 0)`, percentages too.
fn function(text: &str) -> Option<Paint> {
    let (name, rest) = text.split_once('(')?;
    let name = name.trim();
    if !name.eq_ignore_ascii_case("rgb") && !name.eq_ignore_ascii_case("rgba") {
        return None;
    }
    let mut values = rest
        .trim_end_matches(')')
        .split([',', ' ', '/'])
        .map(str::trim)
        .filter(|value| !value.is_empty());
    let mut colour = [0u8; 3];
    for channel in &mut colour {
        *channel = channel_value(values.next()?)?;
    }
    let clear = values.next().is_some_and(|alpha| {
        let digits = alpha.trim_end_matches('%');
        !digits.is_empty() && digits.bytes().all(|b| b == b'0' || b == b'.')
    });
    Some(if clear {
        Paint::Transparent
    } else {
        Paint::Solid(colour)
    })
}

fn channel_value(text: &str) -> Option<u8> {
    let (number, percent) = text
        .strip_suffix('%')
        .map_or((text, false), |number| (number, true));
    let value: u32 = number.split('.').next()?.parse().ok()?;
    let value = if percent {
        value.min(100) * 255 / 100
    } else {
        value.min(255)
    };
    u8::try_from(value).ok()
}

/// The names of CSS Color 3 and 4, sorted.
#[rustfmt::skip]
const NAMES: [(&str, [u8; 3]); 148] = [
    ("aliceblue", [240, 248, 255]), ("antiquewhite", [250, 235, 215]), ("aqua", [0, 255, 255]),
    ("aquamarine", [127, 255, 212]), ("azure", [240, 255, 255]), ("beige", [245, 245, 220]),
    ("bisque", [255, 228, 196]), ("black", [0, 0, 0]), ("blanchedalmond", [255, 235, 205]),
    ("blue", [0, 0, 255]), ("blueviolet", [138, 43, 226]), ("brown", [165, 42, 42]),
    ("burlywood", [222, 184, 135]), ("cadetblue", [95, 158, 160]), ("chartreuse", [127, 255, 0]),
    ("chocolate", [210, 105, 30]), ("coral", [255, 127, 80]), ("cornflowerblue", [100, 149, 237]),
    ("cornsilk", [255, 248, 220]), ("crimson", [220, 20, 60]), ("cyan", [0, 255, 255]),
    ("darkblue", [0, 0, 139]), ("darkcyan", [0, 139, 139]), ("darkgoldenrod", [184, 134, 11]),
    ("darkgray", [169, 169, 169]), ("darkgreen", [0, 100, 0]), ("darkgrey", [169, 169, 169]),
    ("darkkhaki", [189, 183, 107]), ("darkmagenta", [139, 0, 139]),
    ("darkolivegreen", [85, 107, 47]), ("darkorange", [255, 140, 0]),
    ("darkorchid", [153, 50, 204]), ("darkred", [139, 0, 0]), ("darksalmon", [233, 150, 122]),
    ("darkseagreen", [143, 188, 143]), ("darkslateblue", [72, 61, 139]),
    ("darkslategray", [47, 79, 79]), ("darkslategrey", [47, 79, 79]),
    ("darkturquoise", [0, 206, 209]), ("darkviolet", [148, 0, 211]), ("deeppink", [255, 20, 147]),
    ("deepskyblue", [0, 191, 255]), ("dimgray", [105, 105, 105]), ("dimgrey", [105, 105, 105]),
    ("dodgerblue", [30, 144, 255]), ("firebrick", [178, 34, 34]), ("floralwhite", [255, 250, 240]),
    ("forestgreen", [34, 139, 34]), ("fuchsia", [255, 0, 255]), ("gainsboro", [220, 220, 220]),
    ("ghostwhite", [248, 248, 255]), ("gold", [255, 215, 0]), ("goldenrod", [218, 165, 32]),
    ("gray", [128, 128, 128]), ("green", [0, 128, 0]), ("greenyellow", [173, 255, 47]),
    ("grey", [128, 128, 128]), ("honeydew", [240, 255, 240]), ("hotpink", [255, 105, 180]),
    ("indianred", [205, 92, 92]), ("indigo", [75, 0, 130]), ("ivory", [255, 255, 240]),
    ("khaki", [240, 230, 140]), ("lavender", [230, 230, 250]), ("lavenderblush", [255, 240, 245]),
    ("lawngreen", [124, 252, 0]), ("lemonchiffon", [255, 250, 205]), ("lightblue", [173, 216, 230]),
    ("lightcoral", [240, 128, 128]), ("lightcyan", [224, 255, 255]),
    ("lightgoldenrodyellow", [250, 250, 210]), ("lightgray", [211, 211, 211]),
    ("lightgreen", [144, 238, 144]), ("lightgrey", [211, 211, 211]), ("lightpink", [255, 182, 193]),
    ("lightsalmon", [255, 160, 122]), ("lightseagreen", [32, 178, 170]),
    ("lightskyblue", [135, 206, 250]), ("lightslategray", [119, 136, 153]),
    ("lightslategrey", [119, 136, 153]), ("lightsteelblue", [176, 196, 222]),
    ("lightyellow", [255, 255, 224]), ("lime", [0, 255, 0]), ("limegreen", [50, 205, 50]),
    ("linen", [250, 240, 230]), ("magenta", [255, 0, 255]), ("maroon", [128, 0, 0]),
    ("mediumaquamarine", [102, 205, 170]), ("mediumblue", [0, 0, 205]),
    ("mediumorchid", [186, 85, 211]), ("mediumpurple", [147, 112, 219]),
    ("mediumseagreen", [60, 179, 113]), ("mediumslateblue", [123, 104, 238]),
    ("mediumspringgreen", [0, 250, 154]), ("mediumturquoise", [72, 209, 204]),
    ("mediumvioletred", [199, 21, 133]), ("midnightblue", [25, 25, 112]),
    ("mintcream", [245, 255, 250]), ("mistyrose", [255, 228, 225]), ("moccasin", [255, 228, 181]),
    ("navajowhite", [255, 222, 173]), ("navy", [0, 0, 128]), ("oldlace", [253, 245, 230]),
    ("olive", [128, 128, 0]), ("olivedrab", [107, 142, 35]), ("orange", [255, 165, 0]),
    ("orangered", [255, 69, 0]), ("orchid", [218, 112, 214]), ("palegoldenrod", [238, 232, 170]),
    ("palegreen", [152, 251, 152]), ("paleturquoise", [175, 238, 238]),
    ("palevioletred", [219, 112, 147]), ("papayawhip", [255, 239, 213]),
    ("peachpuff", [255, 218, 185]), ("peru", [205, 133, 63]), ("pink", [255, 192, 203]),
    ("plum", [221, 160, 221]), ("powderblue", [176, 224, 230]), ("purple", [128, 0, 128]),
    ("rebeccapurple", [102, 51, 153]), ("red", [255, 0, 0]), ("rosybrown", [188, 143, 143]),
    ("royalblue", [65, 105, 225]), ("saddlebrown", [139, 69, 19]), ("salmon", [250, 128, 114]),
    ("sandybrown", [244, 164, 96]), ("seagreen", [46, 139, 87]), ("seashell", [255, 245, 238]),
    ("sienna", [160, 82, 45]), ("silver", [192, 192, 192]), ("skyblue", [135, 206, 235]),
    ("slateblue", [106, 90, 205]), ("slategray", [112, 128, 144]), ("slategrey", [112, 128, 144]),
    ("snow", [255, 250, 250]), ("springgreen", [0, 255, 127]), ("steelblue", [70, 130, 180]),
    ("tan", [210, 180, 140]), ("teal", [0, 128, 128]), ("thistle", [216, 191, 216]),
    ("tomato", [255, 99, 71]), ("turquoise", [64, 224, 208]), ("violet", [238, 130, 238]),
    ("wheat", [245, 222, 179]), ("white", [255, 255, 255]), ("whitesmoke", [245, 245, 245]),
    ("yellow", [255, 255, 0]), ("yellowgreen", [154, 205, 50]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours() {
        let white = Some(Paint::Solid([255; 3]));
        for (text, expected) in [
            ("#fff", white),
            ("#FFFFFF", white),
            ("white", white),
            ("White", white),
            ("rgb(255,255,255)", white),
            ("rgb(100%, 100%, 100%)", white),
            ("RGBA(255 255 255 / 50%)", white),
            ("rgba(1,2,3,0.0)", Some(Paint::Transparent)),
            ("#fff0", Some(Paint::Transparent)),
            ("#ffffff00", Some(Paint::Transparent)),
            ("transparent", Some(Paint::Transparent)),
            ("inherit", None),
            ("", None),
            ("#12345", Some(Paint::Unknown)),
            ("#é123", Some(Paint::Unknown)),
            ("hsl(0, 0%, 100%)", Some(Paint::Unknown)),
            ("yellowgreen", Some(Paint::Solid([154, 205, 50]))),
            ("aliceblue", Some(Paint::Solid([240, 248, 255]))),
        ] {
            assert_eq!(parse(text), expected, "{text:?}");
        }
        assert_eq!(attribute(" ffffff "), white);
        assert!(NAMES.is_sorted());
        assert_eq!(distance([0, 10, 255], [0, 20, 250]), 10);
    }
}
