import Foundation
import Fuzzing
import Kernels
import Testing

@Suite("Fuzzing", .timeLimit(.minutes(5))) struct FuzzingTests {
    /// How many mutations of each seed a test run tries; FUZZ_ROUNDS sets more.
    private static let rounds =
        ProcessInfo.processInfo.environment["FUZZ_ROUNDS"].flatMap { Int($0) } ?? 0

    /// The kept inputs of a target: findings of earlier runs, and inputs that reach new code.
    private func corpus(of target: FuzzTarget) throws -> [[UInt8]] {
        guard
            let folder = Bundle.module.url(forResource: "Corpus", withExtension: nil)?.appending(path: target.rawValue)
        else { return [] }
        let files = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        return try files.sorted { $0.path < $1.path }.map { Array(try Data(contentsOf: $0)) }
    }

    @Test("every kept input and every seed is accepted or refused, with its properties", arguments: FuzzTarget.allCases)
    func replays(target: FuzzTarget) throws {
        let inputs = try target.seeds + corpus(of: target)
        #expect(!inputs.isEmpty)
        for input in inputs { target.run(input) }
        // The seeds of the targets with a file format are long, so that few cuts suffice.
        for seed in target.seeds {
            for length in stride(from: 0, to: seed.count, by: max(1, seed.count / 100)) {
                target.run(Array(seed[..<length]))
            }
        }
    }

    @Test("mutated inputs are accepted or refused, with their properties", arguments: FuzzTarget.allCases)
    func mutates(target: FuzzTarget) throws {
        let inputs = try target.seeds + corpus(of: target)
        let rounds = max(Self.rounds, target == .bundle ? 40 : target == .csv ? 200 : 1000)
        for round in 0..<rounds {
            var generator = SequentialGenerator(
                CounterBasedGenerator(seed: UInt64(round), purpose: .simulation),
                stream: UInt64(target.rawValue.utf8.count)
            )
            target.run(Mutation.mutated(inputs[round % inputs.count], beside: inputs, using: &generator))
        }
    }
}

/// Changes of bytes, as fuzzers make them.
private enum Mutation {
    private static let pieces = [
        "\"", "\\", "{", "}", "[", "]", ",", ":", "0", "-", "e9", "null", "true", "\u{0}", "\u{FEFF}", "\n", "\r\n",
        "9223372036854775808",
        "1e400", "\\ud800",
    ].map { Array($0.utf8) }

    static func mutated(
        _ input: [UInt8],
        beside others: [[UInt8]],
        using generator: inout SequentialGenerator
    ) -> [UInt8] {
        var bytes = input
        for _ in 0..<Int.random(in: 1...6, using: &generator) {
            let place = Int.random(in: 0...bytes.count, using: &generator)
            let end = min(bytes.count, place + Int.random(in: 1...16, using: &generator))
            switch Int.random(in: 0..<7, using: &generator) {
            case 0 where place < bytes.count: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 1 where place < bytes.count: bytes[place] = UInt8.random(in: 0...255, using: &generator)
            case 2: bytes.removeSubrange(place..<end)
            case 3: bytes.insert(contentsOf: bytes[place..<end], at: place)
            case 4:
                let other = others[Int.random(in: 0..<others.count, using: &generator)]
                let start = Int.random(in: 0...other.count, using: &generator)
                bytes.replaceSubrange(place..<end, with: other[start..<min(other.count, start + end - place)])
            case 5: for index in place..<end { bytes[index] = Bool.random(using: &generator) ? 0 : 255 }
            default: bytes.insert(contentsOf: pieces[Int.random(in: 0..<pieces.count, using: &generator)], at: place)
            }
        }
        return bytes
    }
}
