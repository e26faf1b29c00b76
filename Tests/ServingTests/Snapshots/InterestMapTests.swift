import CheckpointStore
import Kernels
import Serving
import TestSupport
import Testing

@Suite("InterestMap") struct InterestMapTests {
    private func snapshot(
        _ vectors: Matrix,
        popularity: [Int32] = [],
        generation: UInt64 = 1
    ) throws -> ServingSnapshot {
        var checkpoint = makeCheckpoint(version: 1, items: vectors.rows, dimension: vectors.columns)
        checkpoint.parameters["items"] = vectors
        checkpoint.popularity = popularity
        return try testBuilder.build(checkpoint, generation: generation)
    }

    /// Unit vectors with a large spread along `first`, a smaller one along `second` and hardly any elsewhere.
    private func flattened(_ rows: Int, dimension: Int, first: Int, second: Int) -> Matrix {
        let normals = CounterBasedGenerator(seed: 8, purpose: .simulation)
            .normalRows(streams: (0..<UInt64(rows)).map { $0 }, columns: dimension)
        return Matrix(
            (0..<rows).map { row in
                normalised(normals.row(row).enumerated().map { $1 * ($0 == first ? 1 : $0 == second ? 0.5 : 0.01) })
            }
        )
    }

    @Test("the axes are the directions of largest spread, and their shares are of the variance")
    func findsComponents() throws {
        let vectors = flattened(300, dimension: 7, first: 4, second: 2)
        let map = InterestMap(try snapshot(vectors))
        var direction = [Float](repeating: 0, count: 7)
        let origin = map.point(direction)
        for (axis, isFirst) in [(4, true), (2, false)] {
            direction = [Float](repeating: 0, count: 7)
            direction[axis] = 1
            let point = map.point(direction)
            let (along, across) =
                isFirst ? (point.x - origin.x, point.y - origin.y) : (point.y - origin.y, point.x - origin.x)
            #expect(along > 0.999 && abs(across) < 0.03, "axis \(axis): \(along) along, \(across) across")
        }
        func variance(_ values: [Double]) -> Double {
            let mean = values.reduce(0, +) / Double(values.count)
            return values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        }
        let whole = (0..<7).map { column in variance((0..<300).map { Double(vectors[$0, column]) }) }.reduce(0, +)
        let drawn = map.points.map { [Double($0.x), Double($0.y)] }
        for axis in 0..<2 {
            #expect(abs(map.explained[axis] - variance(drawn.map { $0[axis] }) / whole) < 1e-4)
        }
        #expect(map.explained[0] > map.explained[1] && map.explained[0] + map.explained[1] > 0.99)
    }

    @Test("items are drawn at their vectors' places about the mean, popular ones first, each once")
    func samples() throws {
        let vectors = flattened(50, dimension: 5, first: 0, second: 1)
        let popularity: [Int32] = [7, 3, 49]
        let snapshot = try snapshot(vectors, popularity: popularity)
        let map = InterestMap(snapshot, sample: 20)
        #expect(map.items.count == 20 && Set(map.items).count == 20 && Array(map.items.prefix(3)) == popularity)
        for (item, point) in zip(map.items, map.points) { #expect(map.point(vectors.row(Int(item))) == point) }
        let all = InterestMap(snapshot)
        #expect(all.items.sorted() == (0..<50).map(Int32.init))
        #expect(abs(all.points.reduce(0) { $0 + $1.x }) < 1e-3 && abs(all.points.reduce(0) { $0 + $1.y }) < 1e-3)
        #expect(InterestMap(snapshot, sample: 2).items == [7, 3])
    }

    @Test("the same version gives the same picture, also with more items than the fit uses")
    func isRepeatable() throws {
        let large = flattened(InterestMap.mostFitted + 1, dimension: 2, first: 1, second: 0)
        let (one, other) = (InterestMap(try snapshot(large)), InterestMap(try snapshot(large, generation: 2)))
        #expect(one.points == other.points && one.explained == other.explained && one.items == other.items)
        #expect(one.generation == 1 && other.generation == 2 && one.points.count == 2000)
    }

    @Test("vectors of one element lie on a line, and equal vectors on a point")
    func drawsDegenerateItems() throws {
        let line = InterestMap(try snapshot(Matrix([[1], [-1], [1]])))
        #expect(line.points.allSatisfy { $0.y == 0 && $0.x.isFinite } && line.explained == [1, 0])
        let point = InterestMap(try snapshot(Matrix([[Float]](repeating: [1, 0, 0], count: 4))))
        #expect(point.points.allSatisfy { abs($0.x) < 1e-6 && abs($0.y) < 1e-6 } && point.explained == [0, 0])
    }
}
