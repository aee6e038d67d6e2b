//! Who may ask: TLS, and a bearer token. Both can change while the server runs.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use hyper::header::{AUTHORIZATION, HeaderMap};
use subtle::ConstantTimeEq;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio_rustls::rustls::{self, ServerConfig};

/// What a client needs to be answered.
#[derive(Clone, Default)]
pub struct Access {
    /// With it, connections are TLS and nothing else.
    pub tls: Option<Arc<ServerConfig>>,
    /// With it, every request carries it, but for those to open paths.
    pub token: Option<Token>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("tls", &self.tls.is_some())
            .field("token", &self.token.is_some())
            .finish()
    }
}

/// A bearer token. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// The fewest characters: fewer can be tried out.
    pub const LEAST: usize = 16;

    /// A token of at least [`Self::LEAST`] characters that a header can carry.
    ///
    /// # Errors
    /// A sentence that does not hold the token.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.len() < Self::LEAST {
            return Err(format!("it has fewer than {} characters", Self::LEAST));
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("it holds something that a header can not carry".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether a request carries it: as a bearer token, or as the password of a browser, under any name. The comparison
    /// takes as long for a wrong one as for the right one.
    #[must_use]
    pub fn is_in(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok()) else {
            return false;
        };
        let Some((scheme, given)) = value.split_once(' ') else {
            return false;
        };
        if scheme.eq_ignore_ascii_case("bearer") {
            return self.is(given.trim().as_bytes());
        }
        let decoded = scheme
            .eq_ignore_ascii_case("basic")
            .then(|| BASE64.decode(given.trim()).ok());
        let password = decoded.flatten().and_then(|pair| {
            let colon = pair.iter().position(|b| *b == b':')?;
            pair.get(colon.checked_add(1)?..).map(<[u8]>::to_vec)
        });
        password.is_some_and(|password| self.is(&password))
    }

    fn is(&self, given: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(given).into()
    }
}

/// Why a certificate can not be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file of certificates.
    #[error("it holds no PEM certificates")]
    Certificates(#[source] Option<pem::Error>),
    /// The file of the key.
    #[error("it holds no PEM private key")]
    Key(#[source] pem::Error),
    /// The two do not go together.
    #[error("certificate and key do not go together")]
    Pair(#[source] rustls::Error),
}

/// TLS with this chain of certificates and this key, both in PEM.
///
/// # Errors
/// [`TlsError`] when one of them is not what it should be, or they do not go together.
pub fn server_tls(certificates: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificates).collect();
    let chain = chain.map_err(|error| TlsError::Certificates(Some(error)))?;
    if chain.is_empty() {
        return Err(TlsError::Certificates(None));
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(TlsError::Key)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Pair)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(TlsError::Pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        headers
    }

    #[test]
    fn a_token_is_taken_as_a_bearer_and_as_a_password_and_nothing_else() {
        let token = Token::new("0123456789abcdef").unwrap();
        assert!(token.is_in(&headers("Bearer 0123456789abcdef")));
        assert!(token.is_in(&headers("bearer  0123456789abcdef")));
        // printf 'oncall:0123456789abcdef' | base64
        assert!(token.is_in(&headers("Basic b25jYWxsOjAxMjM0NTY3ODlhYmNkZWY=")));
        for wrong in [
            "Bearer 0123456789abcdeF",
            "Bearer 0123456789abcde",
            "Bearer",
            "0123456789abcdef",
            "Basic MDEyMzQ1Njc4OWFiY2RlZg==",
            "Basic not base64",
        ] {
            assert!(!token.is_in(&headers(wrong)), "{wrong}");
        }
        assert!(!token.is_in(&HeaderMap::new()));
    }

    #[test]
    fn a_token_is_long_and_never_shown() {
        assert!(Token::new("short").unwrap_err().contains("16"));
        assert!(Token::new("with a space in the middle").is_err());
        let token = Token::new("0123456789abcdef").unwrap();
        let access = Access {
            tls: None,
            token: Some(token.clone()),
        };
        assert!(!format!("{token:?} {access:?}").contains("0123"));
    }

    #[test]
    fn what_is_no_certificate_is_told_from_what_is_no_key() {
        let nothing = server_tls(b"", b"");
        assert!(matches!(nothing, Err(TlsError::Certificates(None))));
    }
}
