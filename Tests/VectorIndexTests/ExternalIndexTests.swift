import Dispatch
import Kernels
import Synchronization
import TestSupport
import Testing
import VectorIndex

/// Parts that know the vectors of every third item; some are missing, and each misses some candidates on purpose.
private final class Parts: CandidateSource {
    let most: Int
    let timeout: UInt64
    private let indexes: [(items: [Int32], index: FlatIndex)]
    private let missing: Set<Int>
    private let allowsPartial: Bool
    /// Each part leaves out the items for which this is true, as an approximate search may.
    private let overlooks: @Sendable (Int32) -> Bool
    let asked = Mutex<[(count: Int, deadline: UInt64)]>([])

    init(
        _ vectors: Matrix,
        most: Int = 1000,
        timeout: UInt64 = 1_000_000_000,
        missing: Set<Int> = [],
        allowsPartial: Bool = true,
        overlooks: @escaping @Sendable (Int32) -> Bool = { _ in false }
    ) throws {
        self.most = most
        self.timeout = timeout
        self.missing = missing
        self.allowsPartial = allowsPartial
        self.overlooks = overlooks
        indexes = try (0..<3).map { part in
            let items = stride(from: part, to: vectors.rows, by: 3).map { Int32($0) }
            return (items, try FlatIndex(vectors: vectors.gatheringRows(items)))
        }
    }

    func candidates(near query: Span<Float>, count: Int, effort: Int?, until deadline: UInt64) -> Candidates {
        precondition(count <= most, "\(count) candidates of \(most)")
        asked.withLock { $0.append((count, deadline)) }
        let copy = query.indices.map { query[$0] }
        var found: [Int32] = []
        for (part, (items, index)) in indexes.enumerated() where !missing.contains(part) {
            found += index.search(copy.span, k: count).map { items[Int($0.id)] }.filter { !overlooks($0) }
        }
        guard !missing.isEmpty else { return Candidates(items: found, completeness: .whole) }
        let isAnswer = allowsPartial && missing.count < indexes.count
        return Candidates(items: isAnswer ? found : [], completeness: isAnswer ? .partial : .none)
    }
}

@Suite("an index whose candidates come from outside") struct ExternalIndexTests {
    private let vectors = UnitVectors.uniform(6000, dimension: 16, seed: 3)

    private func query(_ number: UInt64) -> [Float] { UnitVectors.uniform(1, dimension: 16, seed: 100 + number).row(0) }

    private func search(
        _ index: any VectorIndex,
        _ query: [Float],
        k: Int,
        among eligible: Eligibility = Eligibility(),
        in workspace: SearchWorkspace = SearchWorkspace()
    ) -> [Scored] {
        index.search(query.span, k: k, effort: nil, among: eligible, in: workspace)
        return workspace.results
    }

    @Test("merges the parts into the answer of an exact index, to the last bit, with exclusions")
    func merges() throws {
        let parts = try Parts(vectors)
        let index = try ExternalIndex(vectors: vectors, source: parts)
        let flat = try FlatIndex(vectors: vectors)
        for (number, k) in [1, 2, 10, 50, 300].enumerated() {
            let query = query(UInt64(number))
            let best = search(flat, query, k: 5).map(\.id)
            for excluded in [[], best, best + [-1, 9999]] {
                let eligible = Eligibility(excluded: excluded)
                #expect(search(index, query, k: k, among: eligible) == search(flat, query, k: k, among: eligible))
            }
        }
        #expect(parts.asked.withLock { $0.map(\.count).max() } == 307)
    }

    @Test("ties are in the order of the numbers, across parts")
    func breaksTies() throws {
        var equal = vectors
        for row in 0..<100 { equal.setRow(row * 7, to: vectors.row(0)) }
        let index = try ExternalIndex(vectors: equal, source: Parts(equal))
        #expect(search(index, equal.row(0), k: 100).map(\.id) == (0..<100).map { Int32($0 * 7) })
    }

    @Test(
        "restricts the candidates, or scores the eligible items here if that costs less",
        arguments: [1, 2, 5, 50, 997]
    )
    func restricts(step: Int) throws {
        let parts = try Parts(vectors)
        let index = try ExternalIndex(vectors: vectors, source: parts)
        let flat = try FlatIndex(vectors: vectors)
        let allowed = ItemSet(stride(from: Int32(0), to: 6000, by: step).map(\.self), bound: 6000)
        let removed = ItemSet(stride(from: Int32(0), to: 6000, by: 9).map(\.self), bound: 6000)
        for eligible in [Eligibility(allowed: allowed), Eligibility(allowed: allowed, excluded: [5], removed: removed)]
        {
            for number in 0..<5 {
                let query = query(UInt64(number))
                #expect(search(index, query, k: 20, among: eligible) == search(flat, query, k: 20, among: eligible))
            }
        }
        #expect(parts.asked.withLock(\.isEmpty) == (step >= 2))
    }

    @Test("completes an answer here when too few candidates are eligible, and when k reaches the whole catalogue")
    func completes() throws {
        let query = query(0)
        let flat = try FlatIndex(vectors: vectors)
        let best = Set(search(flat, query, k: 5500).map(\.id))
        let overlooking = try ExternalIndex(vectors: vectors, source: Parts(vectors, overlooks: { best.contains($0) }))
        let workspace = SearchWorkspace()
        #expect(search(overlooking, query, k: 20, in: workspace) == search(flat, query, k: 20))
        #expect(workspace.fellBack)
        let index = try ExternalIndex(vectors: vectors, source: Parts(vectors))
        for k in [1001, 6000, 7000] { #expect(search(index, query, k: k) == search(flat, query, k: k)) }
    }

    @Test("says that parts are missing, until the next answer begins")
    func isPartial() throws {
        let query = query(0)
        let all = search(try FlatIndex(vectors: vectors), query, k: 6000)
        let index = try ExternalIndex(vectors: vectors, source: Parts(vectors, missing: [1]))
        let workspace = SearchWorkspace()
        #expect(search(index, query, k: 20, in: workspace) == Array(all.filter { $0.id % 3 != 1 }.prefix(20)))
        #expect(workspace.completeness == .partial)
        let whole = try ExternalIndex(vectors: vectors, source: Parts(vectors))
        _ = search(whole, query, k: 20, in: workspace)
        #expect(workspace.completeness == .partial, "one answer needs several searches")
        workspace.beginAnswer()
        _ = search(whole, query, k: 20, in: workspace)
        #expect(workspace.completeness == .whole)
    }

    @Test("asks no more for an answer that cannot be given")
    func givesUp() throws {
        for (missing, allows) in [(Set([0]), false), (Set([0, 1, 2]), true)] {
            let parts = try Parts(vectors, missing: missing, allowsPartial: allows)
            let index = try ExternalIndex(vectors: vectors, source: parts)
            let workspace = SearchWorkspace()
            for _ in 0..<3 { #expect(search(index, query(0), k: 20, in: workspace).isEmpty) }
            #expect(workspace.completeness == .none)
            #expect(parts.asked.withLock(\.count) == 1)
        }
    }

    @Test("all searches of an answer share one timeout, and the caller's deadline is not passed")
    func sharesTimeout() throws {
        let parts = try Parts(vectors, timeout: 5_000_000_000)
        let index = try ExternalIndex(vectors: vectors, source: parts)
        let workspace = SearchWorkspace()
        let before = DispatchTime.now().uptimeNanoseconds
        for _ in 0..<2 { _ = search(index, query(0), k: 20, in: workspace) }
        let after = DispatchTime.now().uptimeNanoseconds
        let deadlines = parts.asked.withLock { $0.map(\.deadline) }
        #expect(deadlines[0] == deadlines[1])
        #expect(before + 5_000_000_000...after + 5_000_000_000 ~= deadlines[0])
        workspace.deadline = 7
        _ = search(index, query(0), k: 20, in: workspace)
        #expect(parts.asked.withLock { $0.last?.deadline } == 7)
    }

    @Test("changed items are found as with any other base")
    func changes() throws {
        var live = LiveIndex(try ExternalIndex(vectors: vectors, source: Parts(vectors)))
        var exact = LiveIndex(try FlatIndex(vectors: vectors))
        let query = query(0)
        let best = search(exact, query, k: 3).map(\.id)
        for index in [0, 1] {
            var changing = index == 0 ? live : exact
            try changing.remove(best[0])
            try changing.replace(best[1], with: vectors.row(17))
            try changing.add(query)
            if index == 0 { live = changing } else { exact = changing }
        }
        #expect(live.isExternal && !exact.isExternal)
        #expect(search(live, query, k: 50) == search(exact, query, k: 50))
    }
}
