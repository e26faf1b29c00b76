import Foundation
import Kernels
import Synchronization
import TestSupport
import Testing
import VectorIndex

@Suite("LiveIndexHolder") struct LiveIndexHolderTests {
    /// In version `v` of the index, the ten first items and one added item have this vector.
    private static func vector(ofVersion version: Int) -> [Float] {
        let angle = Float(version) * 0.001
        return [cos(angle), sin(angle), 0, 0]
    }

    @Test(
        "searches beside updates see whole states, and never an older one after a newer",
        arguments: [
            IndexConfiguration.Kind.flat, .partitioned,
        ]
    )
    func wholeStates(kind: IndexConfiguration.Kind) throws {
        let versions = 300
        let away = (0..<600).map { row in
            row < 10 ? Self.vector(ofVersion: 0) : [0, 0, cos(Float(row) * 0.01), sin(Float(row) * 0.01)]
        }
        let configuration = IndexConfiguration(kind: kind, partitions: 5)
        var start = LiveIndex(try IndexFormat.build(vectors: Matrix(away), configuration: configuration))
        try start.add(Self.vector(ofVersion: 0))
        let holder = LiveIndexHolder(start)
        let faults = Mutex(0)
        DispatchQueue.concurrentPerform(iterations: 4) { thread in
            if thread == 0 {
                for version in 1...versions {
                    let vector = Self.vector(ofVersion: version)
                    let isDone: Void? = try? holder.update { index throws(IndexError) in
                        for item in 0..<Int32(10) { try index.replace(item, with: vector) }
                        try index.remove(Int32(index.bound - 1))
                        try index.add(vector)
                    }
                    if isDone == nil { faults.withLock { $0 += 1 } }
                }
                return
            }
            let workspace = SearchWorkspace()
            let query: [Float] = [1, 0, 0, 0]
            var last = Float.infinity
            for _ in 0..<1000 {
                let index = holder.current
                index.search(query.span, k: 11, effort: .max, among: Eligibility(), in: workspace)
                let found = workspace.results
                // The score of a version is the cosine of its angle, which falls with every version.
                let isWhole = found.map(\.id) == (0..<10) + [Int32(index.bound - 1)]
                let isOne = found.allSatisfy { $0.score == found[0].score } && found[0].score <= last
                if !isWhole || !isOne { faults.withLock { $0 += 1 } }
                last = found[0].score
            }
        }
        #expect(faults.withLock { $0 } == 0)
        #expect(holder.current.bound == 601 + versions)
        #expect(holder.current.count == 601)
    }

    @Test("no update is lost, and one that throws changes nothing")
    func updates() throws {
        let vectors = UnitVectors.uniform(200, dimension: 8)
        let holder = LiveIndexHolder(LiveIndex(try FlatIndex(vectors: vectors)))
        DispatchQueue.concurrentPerform(iterations: 200) { row in
            _ = try? holder.update { index throws(IndexError) in try index.add(vectors.row(row)) }
        }
        #expect(holder.current.bound == 400)
        #expect(throws: IndexError.unknownItem(400)) {
            try holder.update { index throws(IndexError) in
                try index.remove(0)
                try index.remove(400)
            }
        }
        #expect(holder.current.count == 400)
    }
}
