//! Tables of HTML and what becomes of it.

use super::*;

fn page(html: &str) -> Page {
    render(html, &Limits::default())
}

/// HTML, shown text, hidden text.
const TEXTS: &[(&str, &str, &str)] = &[
    ("a  b\n c", "a b c", ""),
    (
        "<p>one<p>two<br>three</p><p></p>four",
        "one\ntwo\nthree\nfour",
        "",
    ),
    ("<table><tr><td>a<td>b</tr><tr><td>c</table>", "a b\nc", ""),
    ("<ul><li>a<li>b</ul>", "a\nb", ""),
    ("<pre>a\n  b</pre>", "a\nb", ""),
    ("v<b>i</b>a<!-- x -->gra", "viagra", ""),
    (
        "&lt;&amp;&eacute;&#8364;&#x41;&nbsp;x &copy",
        "<&é€A x ©",
        "",
    ),
    ("&#0;&#7;&#128;&#xD800;x", "\u{fffd}€\u{fffd}x", ""),
    ("<script>if (a < b) '</p>'</script>x", "x", ""),
    ("<style>p { color: red }</style>x", "x", ""),
    ("<title>T &amp; <b>x</title>y", "y", ""),
    ("<textarea><b>x</textarea>", "<b>x", ""),
    ("<noscript>x</noscript><noframes>y</noframes>", "x", ""),
    ("<iframe>x</iframe>y", "y", ""),
    (
        "<!--[if mso]><p>x</p><![endif]-->y<![if !mso]>z<![endif]>",
        "yz",
        "",
    ),
    ("a<!-->b", "ab", ""),
    ("a <b", "a", ""),
    ("a < b", "a < b", ""),
    ("</p>a</br>b", "a\nb", ""),
    ("<input type=submit value='Sign in'>", "Sign in", ""),
    ("<select><option>a<option>b</select>", "a\nb", ""),
    // Hidden.
    ("a<p hidden>b</p>c", "a\nc", "b"),
    ("a<span style='display:none'>b</span>c", "ac", "b"),
    (
        "a<div style='DISPLAY : NONE'><p>b<p>c</div>d",
        "a\nd",
        "b\nc",
    ),
    (
        "<i style='visibility:hidden'>b<b style='visibility:visible'>c</b></i>",
        "c",
        "b",
    ),
    (
        "<i style=display:none>b<b style='display:block'>c</b></i>",
        "",
        "bc",
    ),
    (
        "<i style=font-size:0>b<b style=font-size:12px>c</b></i>",
        "c",
        "b",
    ),
    (
        "<i style='font-size:1px'>b</i><i style='font-size:3px'>c</i>",
        "c",
        "b",
    ),
    ("<i style=font-size:.1em>b</i>", "", "b"),
    ("<i style='font:1px/1 x'>b</i>", "", "b"),
    (
        "<i style=opacity:0>b</i><i style=opacity:.5>c</i>",
        "c",
        "b",
    ),
    ("<i style='mso-hide:all'>b</i>", "", "b"),
    ("<i style='position:absolute;left:-9999px'>b</i>", "", "b"),
    ("<i style='left:-9999px'>b</i>", "b", ""),
    ("<i style='text-indent:-9999px'>b</i>", "", "b"),
    ("<i style='max-height:0;overflow:hidden'>b</i>", "", "b"),
    (
        "<i style='height:0px;width:0px;overflow:hidden;'>b</i>",
        "",
        "b",
    ),
    ("<i style='max-height:0'>b</i>", "b", ""),
    (
        "<i style='position:absolute;clip:rect(0,0,0,0)'>b</i>",
        "",
        "b",
    ),
    ("<font color=white>b</font>c", "c", "b"),
    ("<font color='#fefefe'>b</font>", "", "b"),
    ("<font color=fffffe>b</font>", "", "b"),
    ("<p style='color:rgb(250,250,250)'>b</p>", "", "b"),
    ("<p style='color:transparent'>b</p>", "", "b"),
    (
        "<table bgcolor=black><tr><td><font color=white>a</font><font color=#010101>b</font></table>",
        "a",
        "b",
    ),
    ("<body bgcolor=#000 text=#000000>b", "", "b"),
    (
        "<td style='background:url(x.png);color:#fff'>a</td>",
        "a",
        "",
    ),
    (
        "<td style='background:#000 url(x.png);color:#fff'>a</td>",
        "a",
        "",
    ),
    ("<div style='color:#fff'><a href=x>a</a>b</div>", "a", "b"),
    (
        "<div style='color:#fff;background:linear-gradient(red,blue)'>a</div>",
        "a",
        "",
    ),
    (
        "<style>.x{display:none}</style>a<b class='y X'>b</b>",
        "a",
        "b",
    ),
    ("a<b class=x>b</b><style>.x{display:none}</style>", "a", "b"),
    (
        "<style>#x{color:#fff}p.y{font-size:0}</style><p id=x>a<p class=y>b<p>c",
        "c",
        "a\nb",
    ),
    (
        "<style>td{color:#fff} td.x a{background:#000}</style><table><td>a",
        "a",
        "",
    ),
    ("<style>@media print{p{display:none}}</style><p>a", "a", ""),
    (
        "<style>p{display:none!important}</style><p style=display:block>a",
        "",
        "a",
    ),
    ("<template>a</template>b", "b", "a"),
    // Soup.
    (
        "<table bgcolor=black><font color=black>a<tr><td>b</table>",
        "a\nb",
        "",
    ),
    ("<table bgcolor=black><tr>a<td>b</table>", "a b", ""),
    (
        "<table style='color:#fff'><tr><td><input type=submit value=Go>",
        "Go",
        "",
    ),
    ("<font color=white>a<p>b</p></font>c", "c", "a\nb"),
    ("<p><font color=white>a</p>b", "", "a\nb"),
    ("<div style=display:none><font size=2>a</div>b", "b", "a"),
    ("<div style=display:none>a</span>b</div>c", "c", "ab"),
    (
        "<span style=display:none><div>a</span>b</div>c",
        "",
        "ab\nc",
    ),
    ("<b style=display:none><div>a</b>b</div>c", "b\nc", "a"),
    (
        "<table><td style=display:none>a<table><tr><td>b</table></td><td>c",
        "c",
        "a\nb",
    ),
];

#[test]
fn texts() {
    for (html, text, hidden) in TEXTS {
        let page = page(html);
        assert_eq!(
            (page.text.as_str(), page.hidden.as_str()),
            (*text, *hidden),
            "{html}"
        );
        assert_eq!(page.facts.hidden_text, !hidden.is_empty(), "{html}");
        assert!(!page.truncated, "{html}");
    }
}

/// HTML and the facts that hold of it.
const FACTS: &[(&str, &str)] = &[
    ("<p>x</p>", ""),
    ("<p>x<li>y", ""),
    ("<html><body><table><tr><td>x", "unbalanced"),
    ("</div>x", "unbalanced"),
    ("<b>x</b></b>", "unbalanced"),
    ("<b><i>x</b></i>", "unbalanced"),
    ("<form>x</form>", "form"),
    ("<input type=PassWord>", "password"),
    ("<script></script>", "script"),
    ("<img src=x onerror='y'>", "script"),
    ("<a href=' java\nscript:x'>y</a>", "script"),
    ("<iframe></iframe>", "frame"),
    ("<embed src=x>", "object"),
    (
        "<link rel='x StyleSheet' href=https://x.test/>",
        "remote_style",
    ),
    ("<link rel=icon href=https://x.test/>", ""),
    (
        "<style>@import 'https://x.test/a.css';</style>",
        "remote_style",
    ),
    (
        "<meta http-equiv=Refresh content='0; URL=https://x.test/'>",
        "refresh",
    ),
    ("<meta http-equiv=refresh content=5>", ""),
    ("<base href=https://x.test/>", "base"),
    ("<i style=font-size:3px>x</i>", "tiny_text"),
    ("<i style=font-size:1px>x</i>", "tiny_text hidden_text"),
    ("<i style=font-size:1px> &zwnj; </i>", ""),
    ("<i style=color:#ddd>x</i>", "low_contrast"),
    ("<i style=color:#fff>x</i>", "low_contrast hidden_text"),
    ("<i style=color:#ccc>x</i>", ""),
    ("<p style=display:none>x</p>", "hidden_text"),
    ("<i style=display:none> </i>", ""),
];

#[test]
fn facts() {
    for (html, expected) in FACTS {
        let facts = page(html).facts;
        let named = [
            ("hidden_text", facts.hidden_text),
            ("tiny_text", facts.tiny_text),
            ("low_contrast", facts.low_contrast),
            ("form", facts.form),
            ("password", facts.password),
            ("script", facts.script),
            ("frame", facts.frame),
            ("object", facts.object),
            ("remote_style", facts.remote_style),
            ("refresh", facts.refresh),
            ("base", facts.base),
            ("unbalanced", facts.unbalanced),
        ];
        let mut found: Vec<&str> = named.iter().filter(|f| f.1).map(|f| f.0).collect();
        let mut expected: Vec<&str> = expected.split_whitespace().collect();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{html}");
    }
}

#[test]
fn links() {
    let link = |href: &str, text: &str| Link {
        href: href.to_owned(),
        text: text.to_owned(),
        kind: LinkKind::Anchor,
        hidden: false,
        image: false,
    };
    let html = "<a href=' http://a.test/\n?x '>go <b>here</b>\n</a>
        <a name=x>none</a>
        <a href=http://b.test/>one<a href=http://c.test/>two</a>
        <p><a href=http://d.test/>over</p><p>blocks</a>
        <a href=http://e.test/ style=display:none>no</a>
        <a href=http://f.test/><img src=x></a>
        <a href=http://g.test/><img src=x style=display:none></a>
        <area href=http://h.test/ alt='the  map'>
        <form action=http://i.test/><button formaction=http://j.test/>go</button></form>
        <a href=http://k.test/>last";
    let expected = [
        link("http://a.test/?x", "go here"),
        link("http://b.test/", "one"),
        link("http://c.test/", "two"),
        link("http://d.test/", "over blocks"),
        Link {
            hidden: true,
            ..link("http://e.test/", "no")
        },
        Link {
            image: true,
            ..link("http://f.test/", "")
        },
        Link {
            image: true,
            hidden: true,
            ..link("http://g.test/", "")
        },
        Link {
            kind: LinkKind::Area,
            ..link("http://h.test/", "the map")
        },
        Link {
            kind: LinkKind::Form,
            ..link("http://i.test/", "")
        },
        Link {
            kind: LinkKind::Button,
            ..link("http://j.test/", "")
        },
        link("http://k.test/", "last"),
    ];
    assert_eq!(page(html).links, expected);
}

#[test]
fn base_address() {
    for (href, expected) in [
        ("x", "https://a.test/d/x"),
        ("/x", "https://a.test/x"),
        ("//b.test/x", "https://b.test/x"),
        ("\\\\b.test/x", "https:\\\\b.test/x"),
        ("?q", "https://a.test/d/e?q"),
        ("#f", "#f"),
        ("http://c.test", "http://c.test"),
        ("mailto:x@y.test", "mailto:x@y.test"),
        ("x:y/z", "x:y/z"),
        ("x/y:z", "https://a.test/d/x/y:z"),
        ("", ""),
    ] {
        let html = format!("<a href='{href}'>x</a><base href='https://a.test/d/e?f'><base href=x>");
        assert_eq!(page(&html).links[0].href, expected, "{href}");
    }
}

#[test]
fn images_and_resources() {
    let page = page(
        "<img src=https://a.test/x.gif width=1 height='1px' alt=' a '>
         <a href=x><img src=cid:1 style='width:50%;height:20pt'></a>
         <div style='display:none;background:url(https://a.test/b.png)'><img src='data:image/png;base64,AA'></div>
         <body background=bg.gif><video src=v.mp4 poster=p.png></video>
         <object data=o.swf></object><frame src=f.html><script src=s.js></script>
         <meta http-equiv=refresh content='1;url=\"r.html\"'>
         <style>@import url(i.css); p{background:url(\"s.png\")}</style>",
    );
    let images: Vec<_> = page
        .images
        .iter()
        .map(|i| {
            (
                i.src.as_str(),
                i.width,
                i.height,
                i.hidden,
                i.linked,
                i.is_remote(),
            )
        })
        .collect();
    assert_eq!(
        images,
        [
            ("https://a.test/x.gif", Some(1), Some(1), false, false, true),
            ("cid:1", None, Some(26), false, true, false),
            ("data:image/png;base64,AA", None, None, true, false, false),
        ]
    );
    assert_eq!(page.images[0].alt, "a");
    use ResourceKind::*;
    let resources: Vec<_> = page
        .resources
        .iter()
        .map(|r| (r.kind, r.href.as_str()))
        .collect();
    assert_eq!(
        resources,
        [
            (Background, "https://a.test/b.png"),
            (Background, "bg.gif"),
            (Media, "v.mp4"),
            (Media, "p.png"),
            (Object, "o.swf"),
            (Frame, "f.html"),
            (Script, "s.js"),
            (Refresh, "r.html"),
            (StyleSheet, "i.css"),
            (Background, "s.png"),
        ]
    );
    assert_eq!(page.title, "");
    assert_eq!(page.tags, 12);
}

#[test]
fn limits_are_met() {
    let small = Limits {
        input: 1_000,
        text: 20,
        links: 2,
        depth: 10,
    };
    for (html, what) in [
        ("x ".repeat(600), "input"),
        ("xyz ".repeat(10), "text"),
        ("<a href=x>y</a>".repeat(3), "links"),
        ("<img src=x>".repeat(3), "images"),
        ("<embed src=x>".repeat(3), "resources"),
        ("<div>".repeat(11), "depth"),
    ] {
        assert!(render(&html, &small).truncated, "{what}");
    }
    let page = render(&format!("é{}", "é".repeat(600)), &small);
    assert!(page.truncated && page.text.len() <= 20);
    let deep = format!("{}x{}y", "<div>".repeat(1_000), "</div>".repeat(1_000));
    let page = super::render(&deep, &Limits::default());
    assert!(page.truncated);
    assert_eq!(page.text, "x\ny");
    assert_eq!(page.unbalanced, 0);
    let long = format!("<a href='http://a.test/{}'>x</a>", "y".repeat(2 * MAX_URL));
    assert_eq!(
        super::render(&long, &Limits::default()).links[0].href.len(),
        MAX_URL
    );
}
