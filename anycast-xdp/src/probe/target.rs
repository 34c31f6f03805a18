//! What is measured: a URL.

use std::{fmt, net::IpAddr, str::FromStr};

use hyper::Uri;

/// How a target is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// A GET over HTTP/1.1.
    Http,
    /// The same in TLS.
    Https,
    /// A TCP connection, and nothing over it.
    Tcp,
}

/// A URL that can be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// As it was written.
    pub url: String,
    /// How it is asked.
    pub scheme: Scheme,
    /// Name or address, without brackets.
    pub host: String,
    /// The URL's, or the scheme's.
    pub port: u16,
    /// Host and port as HTTP's `Host` has them (RFC 9110 section 7.2).
    pub authority: String,
    /// Path and query, at least `/`.
    pub request_target: String,
    /// Connected to in the place of what the host is.
    pub connect_to: Option<IpAddr>,
}

/// Why a URL cannot be measured. Each says what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not a URL at all.
    #[error("`{url}` is no URL ({reason})\n  help: write it like https://www.example.com/ or tcp://[2001:db8::80]:443")]
    Malformed {
        /// As it was written.
        url: String,
        /// What the parser says.
        reason: String,
    },
    /// `www.example.com`, `/path`.
    #[error("`{url}` has no scheme\n  help: write http://, https:// or tcp:// before the host")]
    NoScheme {
        /// As it was written.
        url: String,
    },
    /// `ftp://…`
    #[error("`{url}` has the scheme `{scheme}`, which is not measured\n  help: use http, https or tcp")]
    Scheme {
        /// As it was written.
        url: String,
        /// Its scheme.
        scheme: String,
    },
    /// `tcp://host`
    #[error("`{url}` has no port, and TCP has none of its own\n  help: write tcp://HOST:PORT")]
    NoPort {
        /// As it was written.
        url: String,
    },
    /// Port 0, or 65536.
    #[error("`{url}` has a port that is none\n  help: write one from 1 to 65535, or none for that of http and https")]
    Port {
        /// As it was written.
        url: String,
    },
    /// `tcp://host:1/path`
    #[error("`{url}` has a path, and nothing is asked for over TCP alone\n  help: write tcp://HOST:PORT")]
    Path {
        /// As it was written.
        url: String,
    },
    /// `http://user:password@host`; the password is not repeated.
    #[error("a URL has a user before its host\n  help: leave it out: no one is logged in")]
    User,
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(written: &str) -> Result<Self, TargetError> {
        let url = || written.to_owned();
        // Before the path: no error that follows repeats a password.
        if written.split(['/', '?', '#']).take(3).any(|part| part.contains('@')) {
            return Err(TargetError::User);
        }
        let uri: Uri = written.parse().map_err(|error: hyper::http::uri::InvalidUri| TargetError::Malformed {
            url: url(),
            reason: error.to_string(),
        })?;
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            Some("tcp") => Scheme::Tcp,
            Some(scheme) => return Err(TargetError::Scheme { url: url(), scheme: scheme.to_owned() }),
            None => return Err(TargetError::NoScheme { url: url() }),
        };
        let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
        let host = uri.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).to_owned();
        let port = match (uri.port_u16(), scheme) {
            (Some(0), _) => return Err(TargetError::Port { url: url() }),
            (Some(port), _) => port,
            // The parser drops a port that is too large.
            (None, _) if authority.len() != uri.host().unwrap_or_default().len() => {
                return Err(TargetError::Port { url: url() });
            }
            (None, Scheme::Http) => 80,
            (None, Scheme::Https) => 443,
            (None, Scheme::Tcp) => return Err(TargetError::NoPort { url: url() }),
        };
        let request_target = uri.path_and_query().map_or("/", hyper::http::uri::PathAndQuery::as_str).to_owned();
        if scheme == Scheme::Tcp && request_target != "/" {
            return Err(TargetError::Path { url: url() });
        }
        Ok(Self { url: url(), scheme, host, port, authority, request_target, connect_to: None })
    }
}

impl Target {
    /// Its address, if no resolver is needed: the one to connect to, or a host that is written as one.
    pub fn address(&self) -> Option<IpAddr> {
        self.connect_to.or_else(|| self.host.parse().ok())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Target {
        url.parse().expect("a target")
    }

    #[test]
    fn urls_have_the_port_of_their_scheme() {
        let web = read("http://www.example.com");
        assert_eq!((web.scheme, web.host.as_str(), web.port), (Scheme::Http, "www.example.com", 80));
        assert_eq!((web.authority.as_str(), web.request_target.as_str()), ("www.example.com", "/"));
        assert_eq!(read("https://www.example.com/").port, 443);
        let own = read("https://www.example.com:8443/@a/b?c=d");
        assert_eq!((own.port, own.request_target.as_str()), (8443, "/@a/b?c=d"));
        assert_eq!(own.authority, "www.example.com:8443");
    }

    #[test]
    fn addresses_of_both_families_are_hosts() {
        let v6 = read("http://[2001:db8::80]/");
        assert_eq!((v6.host.as_str(), v6.address()), ("2001:db8::80", "2001:db8::80".parse().ok()));
        assert_eq!(v6.authority, "[2001:db8::80]");
        let v4 = read("tcp://192.0.2.80:443");
        assert_eq!((v4.scheme, v4.port, v4.address()), (Scheme::Tcp, 443, "192.0.2.80".parse().ok()));
        assert_eq!(read("http://www.example.com/").address(), None);
    }

    #[test]
    fn what_cannot_be_measured_is_told_with_what_to_write() {
        let told = |url: &str| url.parse::<Target>().expect_err(url).to_string();
        let told = [
            "www.example.com",
            "ftp://www.example.com/",
            "tcp://www.example.com",
            "tcp://www.example.com:1/path",
            "http://www.example.com:0/",
            "http://www.example.com:99999/",
            "http://",
            "http://a b/",
            "http://user:secret@www.example.com/",
        ]
        .map(told);
        assert!(told.iter().all(|text| text.contains("\n  help: ") && !text.contains("secret")), "{told:#?}");
        insta::assert_snapshot!(told.join("\n"));
    }
}
