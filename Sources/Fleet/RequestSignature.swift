package import Foundation
package import Kernels

/// Signs requests to S3 and stores that are compatible with it: AWS Signature, version 4.
public struct RequestSignature: Sendable {
    package let accessKey: String
    package let secretKey: String
    /// The token of temporary credentials; nil for permanent ones.
    package let sessionToken: String?
    package let region: String
    package let service: String

    package init(
        accessKey: String,
        secretKey: String,
        sessionToken: String? = nil,
        region: String,
        service: String = "s3"
    ) {
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.sessionToken = sessionToken
        self.region = region
        self.service = service
    }

    /// The credentials of AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and AWS_REGION; nil without a key.
    public init?(environment: [String: String]) {
        guard let access = environment["AWS_ACCESS_KEY_ID"], let secret = environment["AWS_SECRET_ACCESS_KEY"],
            !access.isEmpty, !secret.isEmpty
        else { return nil }
        self.init(
            accessKey: access,
            secretKey: secret,
            sessionToken: environment["AWS_SESSION_TOKEN"],
            region: environment["AWS_REGION"] ?? environment["AWS_DEFAULT_REGION"] ?? "us-east-1"
        )
    }

    /// The header fields that a request needs besides its own, Authorization among them.
    ///
    /// - Parameters:
    ///   - method: The method, such as PUT.
    ///   - url: The whole address.
    ///   - payload: The SHA-256 of the body, in hexadecimal digits.
    ///   - date: The time of the request.
    /// - Returns: Names and values.
    package func fields(_ method: String, _ url: URLComponents, payload: String, at date: Date) -> [(String, String)] {
        var fields = [("x-amz-content-sha256", payload), ("x-amz-date", Self.time(date))]
        if let sessionToken { fields.append(("x-amz-security-token", sessionToken)) }
        let host = (url.host ?? "") + (url.port.map { ":\($0)" } ?? "")
        let signed = [("host", host)] + fields
        return fields + [("authorization", authorization(method, url, signed, payload: payload, at: date))]
    }

    /// The value of Authorization for a request with the given header fields, all of which are signed.
    package func authorization(
        _ method: String,
        _ url: URLComponents,
        _ fields: [(String, String)],
        payload: String,
        at date: Date
    ) -> String {
        let sorted = fields.map { ($0.0.lowercased(), $0.1.trimmingCharacters(in: .whitespaces)) }.sorted {
            $0.0 < $1.0
        }
        let names = sorted.map(\.0).joined(separator: ";")
        let request = [
            method, Self.encodedPath(url), Self.encodedQuery(url), sorted.map { "\($0.0):\($0.1)\n" }.joined(), names,
            payload,
        ].joined(separator: "\n")
        let time = Self.time(date)
        let day = String(time.prefix(8))
        let scope = "\(day)/\(region)/\(service)/aws4_request"
        let text = "AWS4-HMAC-SHA256\n\(time)\n\(scope)\n\(SHA256.digest(of: Array(request.utf8)))"
        let key = [day, region, service, "aws4_request"].reduce(Array("AWS4\(secretKey)".utf8)) { key, part in
            SHA256.authenticationCode(of: Array(part.utf8), key: key)
        }
        let signature = SHA256.authenticationCode(of: Array(text.utf8), key: key).hexadecimal
        return "AWS4-HMAC-SHA256 Credential=\(accessKey)/\(scope), SignedHeaders=\(names), Signature=\(signature)"
    }

    private static func time(_ date: Date) -> String {
        date.formatted(.iso8601).filter { !"-:".contains($0) }
    }

    private static func encodedPath(_ url: URLComponents) -> String {
        url.path.isEmpty ? "/" : encoded(url.path, keeping: "/")
    }

    private static func encodedQuery(_ url: URLComponents) -> String {
        let items = (url.queryItems ?? []).map { (encoded($0.name), encoded($0.value ?? "")) }
        return items.sorted { $0 < $1 }.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
    }

    /// Percent-encodes every byte but unreserved characters.
    private static func encoded(_ text: String, keeping: String = "") -> String {
        text.utf8.reduce(into: "") { result, byte in
            let isKept = byte.isAlphanumeric || "-._~".utf8.contains(byte) || keeping.utf8.contains(byte)
            result += isKept ? String(UnicodeScalar(byte)) : "%" + [byte].hexadecimal.uppercased()
        }
    }
}

extension SHA256 {
    /// The digest of bytes, in hexadecimal digits.
    package static func digest(of bytes: [UInt8]) -> String { hash(bytes.span).hexadecimal }

    /// HMAC-SHA256 (RFC 2104), 32 bytes.
    package static func authenticationCode(of message: [UInt8], key: [UInt8]) -> [UInt8] {
        var block = key.count > 64 ? hash(key.span) : key
        block += [UInt8](repeating: 0, count: 64 - block.count)
        let inner = hash((block.map { $0 ^ 0x36 } + message).span)
        return hash((block.map { $0 ^ 0x5c } + inner).span)
    }
}

extension [UInt8] {
    /// Two hexadecimal digits for each byte, in lower case.
    package var hexadecimal: String {
        let digits = [UInt8]("0123456789abcdef".utf8)
        return String(decoding: flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
