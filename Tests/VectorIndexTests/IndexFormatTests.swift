import Foundation
import Kernels
import TestSupport
import Testing
import VectorIndex

@Suite("IndexFormat") struct IndexFormatTests {
    private static let vectors = UnitVectors.clustered(300, dimension: 8, clusters: 12)

    private func saved(_ kind: IndexConfiguration.Kind) throws -> [UInt8] {
        try IndexFormat.build(vectors: Self.vectors, configuration: IndexConfiguration(kind: kind)).serialised()
    }

    @Test("a loaded index gives the saved index's answers", arguments: [IndexConfiguration.Kind.flat, .partitioned])
    func roundTrip(kind: IndexConfiguration.Kind) throws {
        let vectors = UnitVectors.clustered(5000, dimension: 24, clusters: 40)
        let index = try IndexFormat.build(vectors: vectors, configuration: IndexConfiguration(kind: kind))
        let loaded = try IndexFormat.load(index.serialised(), vectors: vectors)
        #expect(loaded.serialised() == index.serialised())
        #expect(type(of: loaded) == type(of: index))
        try (loaded as? PartitionedIndex)?.checkInvariants()
        for item in stride(from: 0, to: 5000, by: 111) {
            let query = vectors.row(item)
            for effort in [nil, 1, 5] {
                let expected = index.search(query.span, k: 20, effort: effort, excluding: [Int32(item)])
                #expect(loaded.search(query.span, k: 20, effort: effort, excluding: [Int32(item)]) == expected)
            }
        }
    }

    @Test("every truncation and every addition is refused", arguments: [IndexConfiguration.Kind.flat, .partitioned])
    func truncation(kind: IndexConfiguration.Kind) throws {
        let bytes = try saved(kind)
        for length in 0..<bytes.count {
            #expect(throws: IndexError.self) { try IndexFormat.load(Array(bytes[..<length]), vectors: Self.vectors) }
        }
        #expect(throws: IndexError.self) { try IndexFormat.load(bytes + [0], vectors: Self.vectors) }
    }

    @Test("every flipped bit is refused or gives an index that returns full answers")
    func bitFlips() throws {
        let bytes = try saved(.partitioned)
        let query = Self.vectors.row(7)
        var generator = SequentialGenerator(CounterBasedGenerator(seed: 5, purpose: .simulation))
        for position in bytes.indices {
            var damaged = bytes
            damaged[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            // A thrown error is an IndexError: `load` can throw nothing else.
            guard let index = try? IndexFormat.load(damaged, vectors: Self.vectors) else { continue }
            let found = index.search(query.span, k: 50, effort: nil, excluding: [3])
            #expect(found.count == 50)
            #expect(Set(found.map(\.id)).count == 50)
            #expect(found == found.sorted())
        }
    }

    @Test("every flipped bit of the lists is refused")
    func listFlips() throws {
        let bytes = try saved(.partitioned)
        let numbers = stride(from: 32, to: 64, by: 8).map { start in
            bytes[start..<start + 8].reversed().reduce(0) { $0 << 8 | Int($1) }
        }
        let (partitions, positions, coded) = (numbers[0], numbers[1], numbers[2])
        let end = bytes.count - positions * (coded / 2 + 4)
        let start = end - 4 * (partitions + positions)
        #expect(start == 32 + 32 + 8 + 4 * (partitions * 9 + 64))
        for position in start..<end {
            for bit in 0..<8 {
                var damaged = bytes
                damaged[position] ^= 1 << UInt8(bit)
                #expect(throws: IndexError.self) { try IndexFormat.load(damaged, vectors: Self.vectors) }
            }
        }
    }

    @Test("vectors of another shape are refused; the error has both values")
    func otherVectors() throws {
        for kind in [IndexConfiguration.Kind.flat, .partitioned] {
            let bytes = try saved(kind)
            #expect(throws: IndexError.countMismatch(index: 300, vectors: 299)) {
                try IndexFormat.load(bytes, vectors: Self.vectors.rows(0..<299))
            }
            #expect(throws: IndexError.dimensionMismatch(index: 8, vectors: 9)) {
                try IndexFormat.load(bytes, vectors: UnitVectors.uniform(300, dimension: 9))
            }
        }
    }

    @Test("hostile counts are refused", arguments: [UInt64.max, 1 << 63, 1 << 62, 1 << 31, 301])
    func hostileCounts(value: UInt64) throws {
        let bytes = try saved(.partitioned)
        for field in [16, 24, 32, 40] {
            var hostile = bytes
            for byte in 0..<8 { hostile[field + byte] = UInt8(truncatingIfNeeded: value >> UInt64(8 * byte)) }
            #expect(throws: IndexError.self) { try IndexFormat.load(hostile, vectors: Self.vectors) }
        }
    }

    @Test("foreign bytes and other formats are refused with their own errors")
    func foreign() throws {
        var bytes = try saved(.flat)
        bytes[8] = 9
        #expect(throws: IndexError.unsupportedFormat(found: 9, supported: 2)) {
            try IndexFormat.load(bytes, vectors: Self.vectors)
        }
        #expect(throws: IndexError.notAnIndex) {
            try IndexFormat.load(Array("hello, world".utf8), vectors: Self.vectors)
        }
    }

    @Test("auto chooses by size")
    func auto() throws {
        let threshold = IndexConfiguration.autoPartitionsFrom
        let small = UnitVectors.clustered(threshold - 1, dimension: 4, clusters: 9)
        #expect(try IndexFormat.build(vectors: small) is FlatIndex)
        let large = UnitVectors.clustered(threshold, dimension: 4, clusters: 9)
        #expect(try IndexFormat.build(vectors: large) is PartitionedIndex)
    }

    @Test("a configuration decodes with defaults and is validated")
    func configuration() throws {
        func decoded(_ json: String) throws -> IndexConfiguration {
            try JSONDecoder().decode(IndexConfiguration.self, from: Data(json.utf8))
        }
        #expect(try decoded("{}") == IndexConfiguration())
        let given = try decoded(#"{"kind":"partitioned","partitions":9,"seed":18446744073709551615}"#)
        #expect(given == IndexConfiguration(kind: .partitioned, partitions: 9, seed: .max))
        let expected = IndexError.invalidConfiguration(key: "index.partitions", value: "0", allowed: "1...1048576")
        #expect(throws: expected) { try decoded(#"{"partitions":0}"#) }
        #expect(throws: expected) {
            try IndexFormat.build(vectors: Self.vectors, configuration: IndexConfiguration(partitions: 0))
        }
        #expect(throws: (any Error).self) { try decoded(#"{"kind":"graph"}"#) }
    }
}
