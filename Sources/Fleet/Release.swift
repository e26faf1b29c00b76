import CheckpointStore
import Foundation
import Kernels

/// A published version: one entry of a ``ReleaseIndex``.
public struct Release: Codable, Sendable, Equatable {
    /// Rises with every publication in an index, so a version that is published again is a new release.
    public var sequence: Int
    /// The model.
    public var model: String
    /// The version's number in the store that published it; a replica may store it under another number.
    public var version: Int
    /// The file of the exported version, relative to the index document.
    public var file: String
    /// The size of the file in bytes.
    public var bytes: Int
    /// The SHA-256 of the file, 64 hexadecimal digits.
    public var sha256: String
    /// The percentage of the replicas that take it, 0 to 100.
    public var share: Double
    /// Replicas that take it in any case.
    public var replicas: [String]
    /// Bounds for the version on each replica; nil is none.
    public var `guard`: Bounds?
    /// When it was published, ISO 8601.
    public var published: String

    /// The bounds of an alias' guard, under their names in HTTP.
    public struct Bounds: Codable, Sendable, Equatable {
        /// The highest error rate, 0 to 1.
        public var maxErrorRate: Double?
        /// The highest 99th percentile of the version's own work, in milliseconds.
        public var maxP99Ms: Double?
        /// How many requests each judgement needs.
        public var minRequests: Int

        /// Groups bounds.
        public init(maxErrorRate: Double? = nil, maxP99Ms: Double? = nil, minRequests: Int = 500) {
            self.maxErrorRate = maxErrorRate
            self.maxP99Ms = maxP99Ms
            self.minRequests = minRequests
        }

        private enum CodingKeys: String, CodingKey {
            case maxErrorRate = "max_error_rate"
            case maxP99Ms = "max_p99_ms"
            case minRequests = "min_requests"
        }

        var aliasGuard: Alias.Guard {
            Alias.Guard(maxErrorRate: maxErrorRate, maxP99Ms: maxP99Ms, minRequests: minRequests)
        }
    }

    /// Groups the parts of an entry.
    package init(
        sequence: Int,
        model: String,
        version: Int,
        file: String,
        bytes: Int,
        sha256: String,
        share: Double = 100,
        replicas: [String] = [],
        guard bounds: Bounds? = nil,
        published: String
    ) {
        (self.sequence, self.model, self.version) = (sequence, model, version)
        (self.file, self.bytes, self.sha256) = (file, bytes, sha256)
        (self.share, self.replicas, self.guard, self.published) = (share, replicas, bounds, published)
    }

    /// Why the entry cannot be used, or nil.
    package var contradiction: String? {
        let isDigest = sha256.utf8.count == 64 && sha256.utf8.allSatisfy { "0123456789abcdef".utf8.contains($0) }
        let parts = file.split(separator: "/", omittingEmptySubsequences: false)
        let allowed = { (byte: UInt8) in byte.isAlphanumeric || "._-/".utf8.contains(byte) }
        // The next publication counts on from here.
        let sequences = 1...Int(Int32.max)
        if !sequences.contains(sequence) {
            return "sequence is \(sequence), but it must be from 1 to \(sequences.upperBound)"
        }
        if model.isEmpty { return "model is empty" }
        if version < 1 { return "version is \(version), but it must be at least 1" }
        if bytes < 1 { return "bytes is \(bytes), but it must be at least 1" }
        if !isDigest { return "sha256 is '\(sha256.prefix(80))', but it must be 64 digits 0-9 and a-f" }
        if !(0...100 ~= share) { return "share is \(share), but it must be 0 to 100" }
        if parts.contains(where: { ["", ".", ".."].contains($0) }) || !file.utf8.allSatisfy(allowed) {
            return "file is '\(file.prefix(200))', but it must be a path below the index, of letters, digits and '._-'"
        }
        if let bounds = self.guard, bounds.minRequests < 1 {
            return "guard.min_requests is \(bounds.minRequests), but it must be at least 1"
        }
        return nil
    }
}

extension UInt8 {
    package var isAlphanumeric: Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self)
            || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self)
    }
}

/// A replica's place among all replicas, which follows from its name alone.
public struct Replica: Sendable, Equatable {
    /// The name.
    public let name: String

    /// Names a replica.
    public init(name: String) { self.name = name }

    /// A number in 0..<1, evenly spread over names; `purpose` makes independent ones.
    package func place(for purpose: String) -> Double {
        let digest = SHA256.hash(Array("\(purpose)\u{0}\(name)".utf8).span)
        let number = digest.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return Double(number >> 11) / Double(1 << 53)
    }

    /// Whether a release is for this replica; one that takes a share takes every larger share too.
    public func takes(_ release: Release) -> Bool {
        release.replicas.contains(name) || place(for: "share") * 100 < release.share
    }

    /// How long this replica waits after it sees a new release, from zero to `spread`.
    public func delay(within spread: Duration) -> Duration { spread * place(for: "delay") }
}
