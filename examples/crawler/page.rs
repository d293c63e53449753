//! Fetches a page, and finds its links.

use std::io;

use evloop::{StreamReader, open_connection};

use crate::head::Head;
use crate::url::Url;

/// The most bytes of a page that are read.
const PAGE_MAX: usize = 1024 * 1024;

pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Page {
    /// Fetches a page by HTTP/1.0: the server closes the connection after it.
    pub(crate) async fn get(url: &Url) -> io::Result<Page> {
        let (mut reader, writer) = open_connection((url.host.as_str(), url.port)).await?;
        writer.write(format!("GET {} HTTP/1.0\r\nHost: {url}\r\n\r\n", url.target));
        let Head { status, length } = Head::read(&mut reader).await?;
        let body = read_body(&mut reader).await?;
        match length {
            Some(length) if (body.len() as u64) < length => {
                let received = body.len();
                Err(io::Error::other(format!("the page ended after {received} of {length} bytes")))
            }
            _ => Ok(Page { status, text: String::from_utf8_lossy(&body).into_owned() }),
        }
    }

    /// Returns the http links of the page with the URL `base`, as whole URLs.
    pub(crate) fn links(&self, base: &str) -> Vec<String> {
        let values = self.text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        let links = values.map(|link| link.split('#').next().unwrap_or_default());
        let origin_len = base.match_indices('/').nth(2).map_or(base.len(), |(index, _)| index);
        let (origin, path) = base.split_at(origin_len);
        let folder = path.rfind('/').map_or("/", |index| &path[..=index]);
        let whole = |link: &str| match link {
            "" => None,
            link if link.starts_with("http://") => Some(link.to_owned()),
            link if link.starts_with("//") => Some(format!("http:{link}")),
            link if link.starts_with('/') => Some(format!("{origin}{link}")),
            link if link.split('/').next().is_some_and(|start| start.contains(':')) => None,
            link => Some(format!("{origin}{folder}{link}")),
        };
        links.filter_map(whole).collect()
    }
}

async fn read_body(reader: &mut StreamReader) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let bytes = reader.read(64 * 1024).await?;
        if bytes.is_empty() {
            return Ok(body);
        }
        body.extend(bytes);
        if body.len() > PAGE_MAX {
            return Err(io::Error::other(format!("the page has more than {PAGE_MAX} bytes")));
        }
    }
}
