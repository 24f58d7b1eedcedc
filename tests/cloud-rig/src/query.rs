//! EC2's query protocol, as far as a proxy must understand it.

/// The fields of a form body, in order.
pub(crate) fn fields(body: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(body);
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let field = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key), decode(value))
    };
    pairs.map(field).collect()
}

/// The request as moto understands it: it has no Debian, and its Ubuntu stands for that; and it tags no snapshot with the image
/// that it makes.
pub(crate) fn known(body: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(body);
    let text = text.replace("136693071363", "099720109477");
    let text = text.replace(
        "debian-13-amd64-%2A",
        "ubuntu%2Fimages%2Fhvm-ssd%2Fubuntu-xenial-%2A",
    );
    let is_image = text.contains("Action=CreateImage&");
    let is_known = |pair: &&str| !is_image || !pair.starts_with("TagSpecification.2.");
    text.split('&')
        .filter(is_known)
        .collect::<Vec<_>>()
        .join("&")
        .into_bytes()
}

/// Percent-decoding, with `+` for a space.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let (high, low) = (digit(rest.next()), digit(rest.next()));
                bytes.push((high.unwrap_or(0) * 16 + low.unwrap_or(0)) as u8);
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The document with another text in each element of this name: what `text` says, which is told the document up to there.
pub(crate) fn with_text(xml: &str, name: &str, text: impl Fn(&str) -> String) -> String {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut parts = xml.split(open.as_str());
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.split_once(close.as_str()).map_or("", |(_, rest)| rest);
        let text = text(&out);
        out.push_str(&format!("{open}{text}{close}{rest}"));
    }
    out
}

/// The texts of all elements of this name.
pub(crate) fn texts<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let parts = xml.split(open.as_str()).skip(1);
    parts
        .filter_map(|part| Some(part.split_once(close.as_str())?.0))
        .collect()
}

/// EC2's error document.
pub(crate) fn error(code: &str, message: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>rig</RequestID></Response>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded() {
        let all = fields(b"Action=RunInstances&Tag.1.Key=banyan%3Aapp&Text=a+b&Empty=");
        assert_eq!(all[1], ("Tag.1.Key".into(), "banyan:app".into()));
        assert_eq!(all[2].1, "a b");
        assert_eq!(all[3].1, "");
    }

    #[test]
    fn moto_is_asked_what_it_knows() {
        let asked = known(b"Action=DescribeImages&Owner.1=136693071363&TagSpecification.2.ResourceType=x");
        assert_eq!(
            asked,
            b"Action=DescribeImages&Owner.1=099720109477&TagSpecification.2.ResourceType=x"
        );
        let made = known(b"Action=CreateImage&TagSpecification.2.ResourceType=snapshot&Name=n");
        assert_eq!(made, b"Action=CreateImage&Name=n");
    }

    #[test]
    fn elements_are_replaced() {
        let xml = "<a><ip>1.2.3.4</ip><b/><ip>5.6.7.8</ip></a>";
        let x = |_: &str| "x".to_owned();
        assert_eq!(with_text(xml, "ip", x), "<a><ip>x</ip><b/><ip>x</ip></a>");
        assert_eq!(with_text("<a/>", "ip", x), "<a/>");
        let count = |before: &str| texts(before, "ip").len().to_string();
        assert_eq!(with_text(xml, "ip", count), "<a><ip>0</ip><b/><ip>1</ip></a>");
        assert_eq!(texts(xml, "ip"), ["1.2.3.4", "5.6.7.8"]);
    }
}
