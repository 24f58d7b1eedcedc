//! TLS with raw public keys (RFC 7250): both ends show an Ed25519 key and prove that they hold it. Any key will do; whose
//! it is, and whether it is the expected one, is read from the connection afterwards.

use banyan_protocol::id::{PeerId, PublicKey, SecretKey};
use banyan_protocol::limits::ALPN;
use banyan_protocol::wire::enrol::{Binding, EXPORTER_LABEL};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring as provider};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible,
    ServerConfig, SignatureScheme, version,
};
use std::sync::Arc;

/// What comes before the 32 bytes of an Ed25519 key in a DER SubjectPublicKeyInfo (RFC 8410 §4).
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// What comes before the 32 bytes of an Ed25519 private key in PKCS #8 (RFC 8410 §7).
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// The name that a dialler asks for: SNI needs one, keys don't. It names nobody (RFC 2606).
pub(crate) const SERVER_NAME: &str = "peer.invalid";

/// TLS for the accepting end. Without session tickets: a peer always shows its key.
pub(crate) fn server(key: &SecretKey) -> QuicServerConfig {
    let resolver = AlwaysResolvesServerRawPublicKeys::new(certified(key));
    let mut config = ServerConfig::builder_with_provider(crypto())
        .with_protocol_versions(&[&version::TLS13])
        .expect("the provider speaks TLS 1.3")
        .with_client_cert_verifier(Arc::new(AnyKey))
        .with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config.try_into().expect("the provider has QUIC's initial cipher")
}

/// TLS for the dialling end, which speaks `alpn`.
pub(crate) fn client(key: &SecretKey, alpn: &[u8]) -> QuicClientConfig {
    let resolver = AlwaysResolvesClientRawPublicKeys::new(certified(key));
    let mut config = ClientConfig::builder_with_provider(crypto())
        .with_protocol_versions(&[&version::TLS13])
        .expect("the provider speaks TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyKey))
        .with_client_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = vec![alpn.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    config.try_into().expect("the provider has QUIC's initial cipher")
}

/// The key that the other end proved to hold.
pub(crate) fn peer_of(connection: &quinn::Connection) -> Option<PeerId> {
    let shown = connection.peer_identity()?;
    let chain = shown.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    raw_key(chain.first()?)
}

/// What only the two ends of this connection know.
pub(crate) fn binding_of(connection: &quinn::Connection) -> Binding {
    let mut binding = Binding([0; 32]);
    let exported = connection.export_keying_material(&mut binding.0, EXPORTER_LABEL, &[]);
    exported.expect("32 bytes may be exported after the handshake");
    binding
}

/// AES-128 before AES-256: as safe here, and cheaper for whoever encrypts the same stream for hundreds of children.
fn crypto() -> Arc<CryptoProvider> {
    use provider::{cipher_suite, kx_group};
    Arc::new(CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
            cipher_suite::TLS13_AES_256_GCM_SHA384,
        ],
        kx_groups: vec![kx_group::X25519],
        ..provider::default_provider()
    })
}

fn certified(key: &SecretKey) -> Arc<CertifiedKey> {
    let private = PrivatePkcs8KeyDer::from([&PKCS8_PREFIX[..], &key.to_bytes()].concat());
    let signer = provider::sign::any_eddsa_type(&private).expect("an Ed25519 key in PKCS #8");
    let public = [&SPKI_PREFIX[..], &key.public().0].concat();
    Arc::new(CertifiedKey::new(vec![public.into()], signer))
}

fn raw_key(shown: &CertificateDer<'_>) -> Option<PeerId> {
    let key = shown.as_ref().strip_prefix(&SPKI_PREFIX)?;
    key.try_into().ok().map(|key| PublicKey(key).peer())
}

/// Accepts every Ed25519 raw public key whose holder signs the handshake with it.
#[derive(Debug)]
struct AnyKey;

impl AnyKey {
    const SCHEMES: [SignatureScheme; 1] = [SignatureScheme::ED25519];

    fn check(shown: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> Result<(), Error> {
        if raw_key(shown).is_some() && intermediates.is_empty() {
            Ok(())
        } else {
            Err(CertificateError::BadEncoding.into())
        }
    }

    fn check_signature(
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(shown.as_ref());
        let algorithms: WebPkiSupportedAlgorithms =
            provider::default_provider().signature_verification_algorithms;
        if signed.scheme != SignatureScheme::ED25519 {
            return Err(CertificateError::BadSignature.into());
        }
        rustls::crypto::verify_tls13_signature_with_raw_key(message, &key, signed, &algorithms)
    }

    fn no_tls12() -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }
}

impl ServerCertVerifier for AnyKey {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Self::check(shown, intermediates).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::check_signature(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        Self::SCHEMES.to_vec()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for AnyKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Self::check(shown, intermediates).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::check_signature(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        Self::SCHEMES.to_vec()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_ed25519_key_is_a_peer() {
        let key = SecretKey::from_bytes(&[3; 32]).public();
        let shown = CertificateDer::from([&SPKI_PREFIX[..], &key.0].concat());
        assert_eq!(raw_key(&shown), Some(key.peer()));
        assert!(AnyKey::check(&shown, &[]).is_ok());
        assert!(AnyKey::check(&shown, std::slice::from_ref(&shown)).is_err());
        let short = CertificateDer::from([&SPKI_PREFIX[..], &key.0[1..]].concat());
        let other = CertificateDer::from([&[0x30; 12][..], &key.0].concat());
        assert_eq!((raw_key(&short), raw_key(&other)), (None, None));
    }

    #[test]
    fn rustls_reads_our_key_as_its_own() {
        let key = SecretKey::from_bytes(&[3; 32]);
        let certified = certified(&key);
        let public = certified.key.public_key().expect("Ed25519 has one");
        assert_eq!(certified.cert[0].as_ref(), public.as_ref());
    }
}
