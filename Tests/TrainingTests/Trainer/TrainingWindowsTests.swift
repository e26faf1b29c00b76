import Kernels
import Testing
import Training

@Suite("Training windows") struct TrainingWindowsTests {
    private static let sequences = randomSequences(users: 40, items: 30, longest: 23, seed: 1)

    private static func windows(_ historyLength: Int, whole: Bool) -> TrainingWindows {
        TrainingWindows(sequences, historyLength: historyLength, wholeWindows: whole)
    }

    /// The places of all targets, as `user * 1000 + place`.
    private static var places: [Int] {
        (0..<sequences.count).flatMap { user in
            stride(from: 1, to: sequences[user].count, by: 1).map { user * 1000 + $0 }
        }
    }

    private static func places(_ windows: [TrainingWindows.Window]) -> [Int] {
        windows.flatMap { window in window.targets.map { window.user * 1000 + $0 } }
    }

    @Test("every epoch has every target once", arguments: [1, 2, 5, 8, 22, 40], [false, true])
    func epochs(historyLength: Int, whole: Bool) {
        let windows = Self.windows(historyLength, whole: whole)
        #expect(windows.targets == Self.places.count)
        let epochs = (0..<3).map { windows.step($0, size: windows.count, seed: 5) }
        for epoch in epochs { #expect(Self.places(epoch).sorted() == Self.places) }
        #expect(epochs[0] != epochs[1])
    }

    @Test("histories are as long as the sequence and the limit allow, within the window", arguments: [false, true])
    func histories(whole: Bool) {
        let windows = Self.windows(6, whole: whole)
        for window in windows.step(0, size: windows.count, seed: 2) {
            #expect(window.first >= 0 && window.targets.lowerBound > window.first)
            #expect(window.targets.upperBound - 1 - window.first <= 6)
            if whole {
                #expect(window.targets.count <= 6)
            } else {
                #expect(window.targets.count == 1)
                #expect(window.first == max(0, window.targets.lowerBound - 6))
            }
        }
    }

    @Test("a long sequence is cut at other places in every epoch") func phases() {
        let windows = TrainingWindows(
            RaggedRows([(0..<60 as Range<Int32>).map { $0 }]),
            historyLength: 10,
            wholeWindows: true
        )
        let starts = (0..<8).map { epoch in
            Set(windows.step(epoch, size: windows.count, seed: 3).map { $0.targets.lowerBound % 10 })
        }
        #expect(Set(starts).count > 2)
    }

    @Test("a step depends on its number, the size and the seed, and steps continue each other") func resumable() {
        let windows = Self.windows(5, whole: true)
        #expect(windows.step(77, size: 16, seed: 2) == windows.step(77, size: 16, seed: 2))
        #expect(windows.step(77, size: 16, seed: 2) != windows.step(77, size: 16, seed: 3))
        #expect(
            windows.step(77, size: 16, seed: 2)
                == windows.step(154, size: 8, seed: 2) + windows.step(155, size: 8, seed: 2)
        )
    }

    @Test("a target has a stream of its own in every epoch, whatever the windows", arguments: [false, true])
    func streams(whole: Bool) {
        let windows = Self.windows(7, whole: whole)
        func streams(_ epoch: Int) -> [Int: UInt64] {
            var found: [Int: UInt64] = [:]
            for window in windows.step(epoch, size: windows.count, seed: 9) {
                for (place, target) in window.targets.enumerated() {
                    found[window.user * 1000 + target] = window.stream + UInt64(place)
                }
            }
            return found
        }
        let (first, second) = (streams(0), streams(1))
        #expect(Set(first.values).count == windows.targets && Set(first.values).isDisjoint(with: second.values))
        #expect(
            Self.windows(3, whole: !whole).step(0, size: 10_000, seed: 1).allSatisfy { window in
                first[window.user * 1000 + window.targets.lowerBound] == window.stream
                    || window.stream >= windows.targets
            }
        )
    }

    @Test("a step has about as many targets as asked for") func sizes() {
        let windows = Self.windows(8, whole: true)
        let size = windows.windowsPerStep(targets: 60)
        let drawn = (0..<50).map { Self.places(windows.step($0, size: size, seed: 4)).count }
        #expect((55...65).contains(drawn.reduce(0, +) / 50), "\(drawn)")
        #expect(Self.windows(8, whole: false).windowsPerStep(targets: 60) == 60)
    }

    @Test("without a sequence of two items there are no targets") func empty() {
        for whole in [false, true] {
            #expect(TrainingWindows(RaggedRows([[1], [], [2]]), historyLength: 3, wholeWindows: whole).targets == 0)
            #expect(TrainingWindows(RaggedRows(), historyLength: 3, wholeWindows: whole).targets == 0)
        }
    }
}
