import Kernels
import Testing

@Suite("inverse") struct InverseTests {
    @Test("a positive definite matrix times its inverse is the identity", arguments: [1, 2, 17, 80])
    func inverts(order: Int) throws {
        let generator = CounterBasedGenerator(seed: 2, purpose: .simulation)
        let normals = generator.normals(stream: UInt64(order), count: order * order)
        let factor = Matrix(rows: order, columns: order, elements: normals)
        var matrix = Matrix.product(factor, transposed: false, factor, transposed: true)
        for row in 0..<order { matrix[row, row] += Float(order) }
        let inverse = try #require(matrix.inverseOfPositiveDefinite())
        let product = Matrix.product(matrix, transposed: false, inverse, transposed: false)
        for row in 0..<order {
            for column in 0..<order {
                #expect(abs(product[row, column] - (row == column ? 1 : 0)) < 1e-4)
                #expect(inverse[row, column] == inverse[column, row])
            }
        }
    }

    @Test("a matrix that is not positive definite has no inverse")
    func singular() {
        #expect(Matrix([[0]]).inverseOfPositiveDefinite() == nil)
        #expect(Matrix([[1, 2], [2, 1]]).inverseOfPositiveDefinite() == nil)
        #expect(Matrix(rows: 5, columns: 5, repeating: 64).inverseOfPositiveDefinite() == nil)
    }
}
