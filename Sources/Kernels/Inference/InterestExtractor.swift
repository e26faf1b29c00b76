import CKernels

/// A guidance module's weights, laid out for one history at a time: what serving reads of it.
///
/// An extractor is immutable and shared by all threads. A thread asks it through a reader of its own.
public protocol InterestExtractor: Sendable {
    /// Room that calls reuse; one call uses it at a time.
    associatedtype Scratch

    /// Room for any history.
    func makeScratch() -> Scratch

    /// Interests of one history as the module gives them, not yet on the sphere.
    ///
    /// - Parameters:
    ///   - history: Item rows, oldest first, not empty.
    ///   - scratch: What ``makeScratch()`` made.
    ///   - interests: Receives `K d` values from `start` on, interest after interest.
    ///   - start: Where they go.
    /// - Complexity: Nothing is allocated once `scratch` has seen a history as long.
    func interests(of history: ArraySlice<Int32>, scratch: inout Scratch, into interests: inout [Float], at start: Int)
}

extension InterestExtractor {
    /// The extractor with scratch room of its own, for one thread.
    public func makeReader() -> any HistoryReader { Reader(self) }
}

/// An ``InterestExtractor`` of any kind with its scratch room, used by one thread at a time.
public protocol HistoryReader: AnyObject {
    /// Interests of one history; see ``InterestExtractor/interests(of:scratch:into:at:)``.
    func interests(of history: ArraySlice<Int32>, into interests: inout [Float], at start: Int)
}

private final class Reader<Extractor: InterestExtractor>: HistoryReader {
    private let extractor: Extractor
    private var scratch: Extractor.Scratch

    init(_ extractor: Extractor) {
        self.extractor = extractor
        scratch = extractor.makeScratch()
    }

    func interests(of history: ArraySlice<Int32>, into interests: inout [Float], at start: Int) {
        extractor.interests(of: history, scratch: &scratch, into: &interests, at: start)
    }
}

extension Matrix {
    /// Traps unless every item of a history is a row, there are 1 to `longest` of them, and `count` values fit `out`.
    func requireHistory(_ history: ArraySlice<Int32>, longest: Int, count: Int, at start: Int, in out: [Float]) {
        precondition(1...longest ~= history.count, "a history of \(history.count) items for 1...\(longest)")
        precondition(
            start >= 0 && start + count <= out.count,
            "interests of \(count) values from \(start) in \(out.count)"
        )
        for id in history { precondition(id >= 0 && Int(id) < rows, "item row \(id) of \(rows)") }
    }

    /// Copies rows side by side to the front of a reused array.
    func copyRows(_ ids: ArraySlice<Int32>, into out: inout [Float]) {
        precondition(ids.count * columns <= out.count, "\(ids.count) rows of \(columns) into \(out.count) places")
        withPointer { rows in
            unsafe ids.withUnsafeBufferPointer { ids in
                guard let first = ids.baseAddress else { return }
                unsafe ck_gather_rows(rows, first, ids.count, columns, &out)
            }
        }
    }
}
