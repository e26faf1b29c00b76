import Kernels
import Recommenders
import TestSupport
import Testing

@Suite("ItemSpace") struct ItemSpaceTests {
    private static func normals(_ rows: Int, _ columns: Int, stream: UInt64) -> Matrix {
        let generator = CounterBasedGenerator(seed: 5, purpose: .simulation)
        return Matrix(
            rows: rows,
            columns: columns,
            elements: generator.normals(stream: stream, count: rows * columns)
        )
    }

    @Test("unit rows stay unchanged")
    func keepsUnitRows() {
        let items = Self.normals(20, 6, stream: 1).normalisedRows().unit
        let users = Self.normals(3, 6, stream: 2)
        let space = SearchSpace(.vectors(items))
        #expect(space.items == items)
        #expect(space.dimension == 6)
        #expect(space.queries(users) == users)
    }

    @Test("rows of any length become unit rows, and inner products keep their order and ratios")
    func reduces() {
        let items = Self.normals(40, 5, stream: 3).scalingRows(by: (0..<40).map { Float($0) / 7 })
        let users = Self.normals(4, 5, stream: 4)
        let space = SearchSpace(.vectors(items))
        let longest = items.normalisedRows().norms.max() ?? 0
        #expect(space.dimension == 6)
        for norm in space.items.normalisedRows().norms { #expect(abs(norm - 1) < 1e-5) }
        let found = Matrix.product(space.queries(users), transposed: false, space.items, transposed: true)
        let truth = Matrix.product(users, transposed: false, items, transposed: true)
        for (ours, theirs) in zip(found.elements, truth.elements) {
            #expect(abs(ours * longest - theirs) < 1e-4)
        }
    }

    @Test("a user's score of an item is the largest over the user's vectors")
    func mergesVectors() {
        let items = Self.normals(9, 4, stream: 5)
        let users = Self.normals(6, 4, stream: 6)
        let scores = ItemSpace.vectors(items).scores(of: UserVectors(rows: users, perUser: 3))
        #expect(scores.shape == [2, 9])
        for user in 0..<2 {
            for item in 0..<9 {
                let products = (0..<3).map { vector in
                    zip(users.row(user * 3 + vector), items.row(item)).reduce(Float(0)) { $0 + $1.0 * $1.1 }
                }
                #expect(abs(scores[user, item] - (products.max() ?? 0)) < 1e-5)
            }
        }
        #expect(ItemSpace.scores(items: 4).scores(of: UserVectors(rows: users)) == users)
    }
}
