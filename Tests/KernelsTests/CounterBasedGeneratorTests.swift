import Foundation
import Kernels
import TestSupport
import Testing

@Suite("CounterBasedGenerator") struct CounterBasedGeneratorTests {
    private let generator = CounterBasedGenerator(seed: 2025, purpose: .simulation)

    struct KnownAnswer: Sendable {
        var counter: [UInt32]
        var key: [UInt32]
        var words: [UInt32]
    }

    /// The vectors published with Random123 for philox4x32, 10 rounds.
    static let knownAnswers = [
        KnownAnswer(
            counter: [0, 0, 0, 0],
            key: [0, 0],
            words: [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        ),
        KnownAnswer(
            counter: [0xffff_ffff, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff],
            key: [0xffff_ffff, 0xffff_ffff],
            words: [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        ),
        KnownAnswer(
            counter: [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
            key: [0xa409_3822, 0x299f_31d0],
            words: [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        ),
    ]

    @Test("known answers of Philox4x32-10", arguments: knownAnswers)
    func knownAnswer(_ vector: KnownAnswer) {
        let words = CounterBasedGenerator.block(
            vector.counter[0],
            stream: UInt64(vector.counter[1]) | UInt64(vector.counter[2]) << 32,
            domain: vector.counter[3],
            key: UInt64(vector.key[0]) | UInt64(vector.key[1]) << 32
        )
        #expect(words == vector.words)
    }

    @Test("words are the blocks of a stream in order", arguments: tailLengths)
    func words(count: Int) {
        let blocks = (0..<UInt32((count + 3) / 4)).flatMap {
            CounterBasedGenerator.block($0, stream: 77, domain: RandomPurpose.simulation.rawValue, key: 2025)
        }
        #expect(generator.words(stream: 77, count: count) == Array(blocks.prefix(count)))
    }

    @Test("the sequential generator uses the same blocks")
    func sequential() {
        var numbers = SequentialGenerator(generator, stream: 9)
        let words = generator.words(stream: 9, count: 40)
        for block in 0..<10 { #expect(numbers.next() == UInt64(words[4 * block]) << 32 | UInt64(words[4 * block + 1])) }
    }

    @Test("normals are Box-Muller of the stream's words", arguments: tailLengths)
    func boxMuller(count: Int) {
        let blocks = (count + 63) / 64 * 16
        let words = generator.words(stream: 3, count: blocks * 4)
        var expected: [Double] = []
        // Groups of 16 blocks; each holds the first normals of all blocks, then the second ones, and so on.
        for group in stride(from: 0, to: blocks, by: 16) {
            for kind in 0..<4 {
                for block in group..<group + 16 {
                    let (a, b) = (words[block * 4 + kind / 2 * 2], words[block * 4 + kind / 2 * 2 + 1])
                    let radius = (-2 * log(Double((a >> 8) + 1) * 0x1p-24)).squareRoot()
                    let turn = 2 * Double.pi * Double(Int32(bitPattern: b) >> 8) * 0x1p-24
                    expected.append(radius * (kind % 2 == 0 ? cos(turn) : sin(turn)))
                }
            }
        }
        // The radius, at most 5.77, times the errors: 1e-6 of the sine and 3e-7 of the radius itself.
        expectClose(generator.normals(stream: 3, count: count), Array(expected.prefix(count)), absolute: 8e-6)
    }

    @Test("a number depends on its position, not on the number of draws", arguments: tailLengths)
    func prefixes(count: Int) {
        let all = generator.normals(stream: 12, count: 1000)
        #expect(generator.normals(stream: 12, count: count) == Array(all.prefix(count)))
        var reused = [Float](repeating: 7, count: count + 3)
        generator.normals(stream: 12, into: &reused, at: 2..<2 + count)
        #expect(reused == [7, 7] + all.prefix(count) + [7])
        #expect(
            generator.words(stream: 12, count: count) == Array(generator.words(stream: 12, count: 999).prefix(count))
        )
        let streams: [UInt64] = [12, 0, .max, 12, 5]
        let rows = generator.normalRows(streams: streams, columns: count)
        for (row, stream) in streams.enumerated() {
            #expect(rows.row(row) == generator.normals(stream: stream, count: count))
        }
    }

    @Test("normals are normally distributed")
    func normalLaw() {
        let n = 200_000.0
        let sample = generator.normals(stream: 1, count: Int(n)).map(Double.init)
        #expect(kolmogorovDistance(sample, from: normalDistribution) < 1.95 / n.squareRoot())
        // Four standard errors for the first four moments of a normal sample.
        func moment(_ power: Double) -> Double { sample.reduce(0) { $0 + pow($1, power) } / n }
        #expect(abs(moment(1)) < 4 / n.squareRoot())
        #expect(abs(moment(2) - 1) < 4 * (2 / n).squareRoot())
        #expect(abs(moment(3)) < 4 * (15 / n).squareRoot())
        #expect(abs(moment(4) - 3) < 4 * (96 / n).squareRoot())
        #expect(sample.allSatisfy { abs($0) <= 5.78 })
        // Neighbours, Box-Muller pairs (16 apart) and rows of neighbouring streams are uncorrelated.
        for lag in [1, 16, 32, 64] {
            let r = correlation(Array(sample.dropLast(lag)), Array(sample.dropFirst(lag)))
            #expect(abs(r) < 4 / n.squareRoot(), "lag \(lag)")
        }
        let neighbour = generator.normals(stream: 2, count: Int(n)).map(Double.init)
        #expect(abs(correlation(sample, neighbour)) < 4 / n.squareRoot())
    }

    @Test("normals across streams are normally distributed")
    func acrossStreams() {
        let rows = generator.normalRows(streams: Array(0..<100_000), columns: 3)
        for column in 0..<3 {
            let sample = (0..<rows.rows).map { Double(rows[$0, column]) }
            #expect(kolmogorovDistance(sample, from: normalDistribution) < 1.95 / 100_000.0.squareRoot())
        }
    }

    @Test("different seeds, purposes and streams give different numbers")
    func separation() {
        let purposes = (1...11).compactMap { RandomPurpose(rawValue: $0) }
        #expect(purposes.count == 11)
        var seen: Set<[UInt32]> = []
        var families = 0
        for purpose in purposes {
            for seed in [0, 1, 1 << 32] as [UInt64] {
                for stream in [0, 1, 1 << 32, .max] as [UInt64] {
                    let generator = CounterBasedGenerator(seed: seed, purpose: purpose)
                    seen.insert(generator.words(stream: stream, count: 4))
                    families += 1
                }
            }
        }
        #expect(seen.count == families)
    }

    @Test("uniforms and integers fill their range evenly")
    func uniforms() {
        let n = 100_000
        let uniforms = generator.uniforms(stream: 4, count: n)
        #expect(uniforms.allSatisfy { $0 > 0 && $0 < 1 })
        #expect(kolmogorovDistance(uniforms) { min(max($0, 0), 1) } < 1.95 / Double(n).squareRoot())
        var counts = [Double](repeating: 0, count: 20)
        for value in generator.integers(below: 20, stream: 5, count: n) { counts[Int(value)] += 1 }
        let expected = Double(n) / 20
        // Chi-square with 19 degrees of freedom exceeds 43.8 once in a thousand.
        #expect(counts.reduce(0) { $0 + ($1 - expected) * ($1 - expected) / expected } < 43.8)
        #expect(generator.integers(below: 1, stream: 0, count: 3) == [0, 0, 0])
    }

    @Test(
        "normals from a place of a stream on are those of the whole stream",
        arguments: [0, 1, 3, 63, 64, 65, 200, 321]
    )
    func normalsFrom(start: Int) {
        let all = generator.normals(stream: 5, count: 500)
        for count in [0, 1, 2, 63, 64, 65, 170] {
            #expect(generator.normals(stream: 5, range: start..<start + count) == Array(all[start..<start + count]))
        }
    }
}
