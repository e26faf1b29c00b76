import Kernels

/// The plane in which a version's item vectors differ most, for pictures of items, interests and paths.
///
/// Its axes are the first two principal components of the item vectors about their mean. Their signs are fixed, so that a
/// version always gives the same picture.
public struct InterestMap: Sendable {
    /// A place in the plane.
    public struct Point: Sendable, Equatable {
        /// Along the first component.
        public let x: Float
        /// Along the second component.
        public let y: Float
    }

    /// The most item vectors that the components are fitted to, taken from the catalogue at even distances.
    public static let mostFitted = 65_536

    /// The load of the snapshot; see ``ServingSnapshot/generation``.
    public let generation: UInt64
    /// The drawn items: the most popular ones, then items outside the popularity list.
    public let items: [Int32]
    /// The drawn items' places.
    public let points: [Point]
    /// The share of the vectors' variance that each axis holds, 0 to 1; the first is the larger.
    public let explained: [Double]
    private let plane: Plane

    /// Fits the plane to a snapshot's items.
    ///
    /// - Parameters:
    ///   - snapshot: The version; the map does not keep it.
    ///   - sample: The most items to draw.
    /// - Complexity: O(min(items, ``mostFitted``) * d^2 + d^3), so do not call it on an event loop.
    public init(_ snapshot: ServingSnapshot, sample: Int = 2000) {
        let vectors = snapshot.itemVectors
        let stride = (vectors.rows + Self.mostFitted - 1) / Self.mostFitted
        let fitted = vectors.gatheringRows((0..<vectors.rows / stride).map { Int32($0 * stride) })
        let (plane, explained) = Plane.fit(fitted)
        let items = Self.sample(sample, of: snapshot)
        generation = snapshot.generation
        self.items = items
        points = items.map { plane.point(vectors.row(Int($0))) }
        self.explained = explained
        self.plane = plane
    }

    /// The place of a vector of the items' space in the plane.
    public func point(_ vector: [Float]) -> Point { plane.point(vector) }

    private static func sample(_ count: Int, of snapshot: ServingSnapshot) -> [Int32] {
        let popular = snapshot.popularity.prefix(count)
        guard popular.count < min(count, snapshot.itemVectors.rows) else { return Array(popular) }
        let listed = ItemSet(popular, bound: snapshot.itemVectors.rows)
        let others = (0..<Int32(snapshot.itemVectors.rows)).lazy.filter { !listed.contains($0) }
        return Array(popular) + others.prefix(count - popular.count)
    }
}

/// Two orthonormal axes through a centre.
private struct Plane {
    let centre: [Float]
    /// `[d, 2]`.
    let axes: Matrix

    /// The principal components of rows, and each one's share of the variance.
    static func fit(_ rows: Matrix) -> (Plane, explained: [Double]) {
        let centre = rows.summedRows().elements.map { $0 / Float(rows.rows) }
        var centred = rows
        centred.addToEachRow(Matrix(rows: 1, columns: centre.count, elements: centre.map { -$0 }))
        let (values, vectors) = Matrix.product(centred, transposed: true, centred).symmetricEigenvectors()
        let variances = values.map { max(0, $0) }
        let whole = variances.reduce(0, +)
        var axes = Matrix(rows: centre.count, columns: 2)
        for axis in 0..<min(2, centre.count) {
            // Take the direction in which the largest element is positive.
            let column = (0..<centre.count).map { vectors[$0, axis] }
            let sign: Float = (column.max { abs($0) < abs($1) } ?? 0) < 0 ? -1 : 1
            for (row, element) in column.enumerated() { axes[row, axis] = sign * element }
        }
        return (
            Plane(centre: centre, axes: axes),
            (0..<2).map { $0 < values.count && whole > 0 ? variances[$0] / whole : 0 }
        )
    }

    func point(_ vector: [Float]) -> InterestMap.Point {
        precondition(vector.count == centre.count, "a vector of \(vector.count) elements in a map of \(centre.count)")
        var (x, y): (Float, Float) = (0, 0)
        for row in centre.indices {
            x += (vector[row] - centre[row]) * axes[row, 0]
            y += (vector[row] - centre[row]) * axes[row, 1]
        }
        return InterestMap.Point(x: x, y: y)
    }
}
