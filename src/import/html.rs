//! HTML as plain text: what a browser would show, without pictures.

/// Elements whose content nobody sees.
const HIDDEN: &[&str] = &["script", "style", "template", "noscript", "title"];
/// Elements that begin and end a line.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "br",
    "dd",
    "div",
    "dl",
    "dt",
    "figure",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "li",
    "main",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "tr",
    "ul",
];

/// The text of a piece of HTML: entities decoded, blocks on lines of their own, list items after a hyphen. Text without a tag
/// keeps its lines.
pub fn plain(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let (mut rest, mut tagged) = (html, false);
    while let Some(place) = rest.find('<') {
        let (text, from) = rest.split_at(place);
        let Some((tag, after)) = tag(from) else {
            // A `<` that begins no tag is text.
            push(&mut out, &rest[..=place], tagged);
            rest = &rest[place + 1..];
            continue;
        };
        tagged = true;
        push(&mut out, text, tagged);
        rest = after;
        let closing = tag.starts_with('/');
        let name: String = tag
            .trim_start_matches('/')
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        if HIDDEN.contains(&name.as_str()) && !closing {
            rest = after_end(rest, &name);
        } else if name == "li" && !closing {
            out.push_str("\n- ");
        } else if BLOCKS.contains(&name.as_str()) {
            out.push('\n');
        } else if matches!(name.as_str(), "td" | "th") {
            out.push(' ');
        }
    }
    push(&mut out, rest, tagged);
    let lines: Vec<String> = out
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty() && line != "-")
        .collect();
    lines.join("\n")
}

/// Adds text, decoded. Beside tags a line break is a space.
fn push(out: &mut String, text: &str, tagged: bool) {
    let text = html_escape::decode_html_entities(text);
    if tagged {
        out.extend(
            text.chars()
                .map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }),
        );
    } else {
        out.push_str(&text);
    }
}

/// The inside of the tag or comment that `html` begins with, and what comes after it. One that does not end is text.
fn tag(html: &str) -> Option<(&str, &str)> {
    let inner = html.strip_prefix('<')?;
    if let Some(comment) = inner.strip_prefix("!--") {
        return Some(("", comment.split_once("-->").map_or("", |(_, after)| after)));
    }
    let first = inner.trim_start_matches('/').chars().next()?;
    if !(first.is_ascii_alphabetic() || first == '!' || first == '?') {
        return None;
    }
    let mut quote = None;
    for (place, c) in inner.char_indices() {
        match (quote, c) {
            (None, '>') => return Some((&inner[..place], &inner[place + 1..])),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    // A quotation mark that is never closed hides no text.
    inner.split_once('>')
}

/// What comes after the end tag of an element.
fn after_end<'a>(html: &'a str, name: &str) -> &'a str {
    let end = format!("</{name}");
    let lower = html.to_ascii_lowercase();
    let Some(place) = lower.find(&end) else {
        return "";
    };
    html[place..].split_once('>').map_or("", |(_, after)| after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_becomes_what_a_reader_sees() {
        let cases = [
            (
                "<h1>Mug</h1><p>350&nbsp;ml &lt; 1 l<br/>ok</p> a < b & c",
                "Mug\n350 ml < 1 l\nok\na < b & c",
            ),
            (
                "<p>Soft &amp; warm.</p>\n<ul>\n<li>Cotton</li><li>Caf&eacute; &#8217;24 &#x20AC;</li></ul>",
                "Soft & warm.\n- Cotton\n- Café ’24 €",
            ),
            (
                "<style type=\"text/css\">.a > b { color: red }</style>Seen<SCRIPT>if (a<b) {}</Script> too<!-- not <b>this</b> -->",
                "Seen too",
            ),
            (
                "<meta charset='utf-8'><span title=\"a > b\">One\n  line</span>",
                "One line",
            ),
            ("<table><tr><td>S</td><td>36</td></tr></table>", "S 36"),
            ("First\nSecond &amp; third", "First\nSecond & third"),
            ("&notanentity; 100 &", "&notanentity; 100 &"),
            ("<p>cut <style>x", "cut"),
            ("<script", "<script"),
            ("1<2>3", "1<2>3"),
            ("", ""),
        ];
        for (html, text) in cases {
            assert_eq!(plain(html), text, "{html}");
        }
    }
}
