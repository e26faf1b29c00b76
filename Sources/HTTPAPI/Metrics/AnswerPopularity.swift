import NIOCore
import Serving
import Synchronization

/// The popularity of the answered items: their mean place in the popularity list, from 0, the most popular, to 1.
///
/// It uses a sample of each event loop's answers, on a low-priority thread. It keeps a snapshot only while one of its
/// answers waits, so an old version is freed here at the latest.
final class AnswerPopularity: Sendable {
    /// The most waiting answers; further ones are skipped.
    private static let capacity = 64
    /// How many snapshots' item places are cached.
    private static let catalogues = 4

    private struct Sample {
        let snapshot: ServingSnapshot
        let items: [Int32]
        let period: UInt64
    }

    private struct Sum {
        var period: UInt64 = 0
        var places = 0.0
        var items = 0.0
    }

    private struct State {
        var waiting: [Sample] = []
        var sums = [Sum](repeating: Sum(), count: DriftWindow.rooms)
        /// The place of each item, by generation.
        var places: [UInt64: [Float]] = [:]
    }

    private let state = Mutex(State())
    private let thread = BackgroundThread(name: "popularity")

    /// Queues an answer.
    func note(_ items: [Int32], from snapshot: ServingSnapshot, period: UInt64) {
        let isFirst = state.withLock { state in
            guard state.waiting.count < Self.capacity else { return false }
            state.waiting.append(Sample(snapshot: snapshot, items: items, period: period))
            return state.waiting.count == 1
        }
        if isFirst { thread.async { [self] in lookAtSamples() } }
    }

    /// The mean over the answers of the last minute; nil without an answer.
    func mean(at now: NIODeadline) -> Double? {
        let recent = DriftWindow.recent(at: now)
        let sums = state.withLock { $0.sums.filter { recent.contains($0.period) } }
        let items = sums.reduce(0) { $0 + $1.items }
        return items > 0 ? sums.reduce(0) { $0 + $1.places } / items : nil
    }

    /// Waits until all queued answers are counted.
    func waitUntilIdle() async {
        await withCheckedContinuation { continuation in thread.async { continuation.resume() } }
    }

    private func lookAtSamples() {
        var samples: [Sample] = []
        state.withLock { swap(&$0.waiting, &samples) }
        for sample in samples {
            let places = places(in: sample.snapshot)
            let sum = sample.items.reduce(0.0) { sum, item in
                sum + Double(places.indices.contains(Int(item)) ? places[Int(item)] : 1)
            }
            let room = DriftWindow.room(of: sample.period)
            state.withLock { state in
                if state.sums[room].period != sample.period { state.sums[room] = Sum(period: sample.period) }
                state.sums[room].places += sum
                state.sums[room].items += Double(sample.items.count)
            }
        }
    }

    /// The place of each item; an item outside the list counts as least popular.
    private func places(in snapshot: ServingSnapshot) -> [Float] {
        if let places = state.withLock({ $0.places[snapshot.generation] }) { return places }
        var places = [Float](repeating: 1, count: snapshot.itemCount)
        let last = Float(max(1, snapshot.popularity.count - 1))
        for (place, item) in snapshot.popularity.enumerated() where places.indices.contains(Int(item)) {
            places[Int(item)] = Float(place) / last
        }
        state.withLock { state in
            if state.places.count == Self.catalogues { state.places.removeAll() }
            state.places[snapshot.generation] = places
        }
        return places
    }
}
