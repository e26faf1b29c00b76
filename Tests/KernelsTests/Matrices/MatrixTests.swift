import Kernels
import TestSupport
import Testing

@Suite("Matrix") struct MatrixTests {
    @Test("rows, elements and shape agree")
    func layout() {
        let matrix = Matrix([[1, 2, 3], [4, 5, 6]])
        #expect(matrix.shape == [2, 3])
        #expect(matrix.count == 6)
        #expect(matrix.elements == [1, 2, 3, 4, 5, 6])
        #expect(matrix[1, 0] == 4)
        #expect(matrix.row(1) == [4, 5, 6])
        #expect(matrix.rows(1..<2) == Matrix([[4, 5, 6]]))
        #expect(matrix.rows(1..<1).shape == [0, 3])
        #expect(matrix.reshaped(rows: 3, columns: 2).row(1) == [3, 4])
        #expect(Matrix(rows: 2, columns: 2, repeating: 7).elements == [7, 7, 7, 7])
        #expect(Matrix([]).shape == [0, 0])
    }

    @Test("a change affects only one copy")
    func valueSemantics() {
        let original = Matrix([[1, 2], [3, 4]])
        var copy = original
        copy[0, 1] = 9
        copy.setRow(1, to: [5, 6])
        copy.scale(by: 2)
        #expect(original.elements == [1, 2, 3, 4])
        #expect(copy.elements == [2, 18, 10, 12])
    }

    @Test("traps on impossible shapes")
    func traps() async {
        await #expect(processExitsWith: .failure) { _ = Matrix(rows: 2, columns: 2, elements: [1, 2, 3]) }
        await #expect(processExitsWith: .failure) { _ = Matrix([[1, 2], [3]]) }
        await #expect(processExitsWith: .failure) { _ = Matrix(rows: 2, columns: 2)[0, 2] }
        await #expect(processExitsWith: .failure) {
            _ = Matrix.product(Matrix(rows: 2, columns: 3), Matrix(rows: 2, columns: 3))
        }
        await #expect(processExitsWith: .failure) { _ = Matrix(rows: 2, columns: 3).gatheringRows([0, 2]) }
        await #expect(processExitsWith: .failure) { _ = Matrix(rows: 2, columns: 3).gatheringRows([-1]) }
        await #expect(processExitsWith: .failure) { _ = dot([1, 2, 3].span, [1, 2].span) }
    }
}
