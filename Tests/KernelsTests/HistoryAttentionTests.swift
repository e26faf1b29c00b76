import Kernels
import TestSupport
import Testing

@Suite("HistoryAttention") struct HistoryAttentionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let heads: Int
        let width: Int
        let d: Int
        var testDescription: String { "K \(heads), a \(width), d \(d)" }
    }

    static let cases = [
        Case(heads: 1, width: 1, d: 2), Case(heads: 3, width: 17, d: 24), Case(heads: 4, width: 64, d: 64),
        Case(heads: 5, width: 70, d: 100), Case(heads: 8, width: 256, d: 128),
    ]
    private static let items = 13
    private static let positions = 50

    private struct Tables {
        let items: Matrix
        let projection: Matrix
        let position: Matrix
        let heads: Matrix

        init(_ shape: Case, scale: Float = 1) {
            items = normalMatrix(rows: HistoryAttentionTests.items, columns: shape.d, seed: 81).normalisedRows().unit
            func scaled(_ matrix: Matrix) -> Matrix {
                Matrix(
                    rows: matrix.rows,
                    columns: matrix.columns,
                    elements: matrix.elements.map { min(43, max(-43, $0 * scale)) }
                )
            }
            projection = scaled(normalMatrix(rows: shape.d, columns: shape.width, seed: 82))
            position = scaled(normalMatrix(rows: HistoryAttentionTests.positions, columns: shape.width, seed: 83))
            heads = normalMatrix(rows: shape.heads, columns: shape.width, seed: 84)
        }

        func attention(keyBytes: Int, countsFromNewest: Bool = false) -> HistoryAttention {
            HistoryAttention(
                items: items,
                projection: projection,
                position: position,
                heads: heads,
                countsFromNewest: countsFromNewest,
                keyBytes: keyBytes
            )
        }

        /// The result of the training graph, which has its own test against the equations in Double.
        func reference(_ history: [Int32], first: Int) -> [Float] {
            let inputs = AdditiveAttention.Inputs(
                items: items,
                projection: Matrix.product(items, projection),
                position: position,
                heads: heads
            )
            return AdditiveAttention.forward(inputs, histories: RaggedRows([history]), firstPosition: [first])
                .interests.elements
        }
    }

    private func history(_ length: Int) -> [Int32] {
        CounterBasedGenerator(seed: 85, purpose: .simulation)
            .integers(below: Self.items, stream: UInt64(length), count: length)
    }

    private func interests(_ attention: HistoryAttention, _ history: [Int32], _ shape: Case) -> [Float] {
        var scratch = attention.makeScratch()
        // Places around the answer, which must not change.
        var out = [Float](repeating: 7, count: shape.heads * shape.d + 2)
        attention.interests(of: history[...], scratch: &scratch, into: &out, at: 1)
        #expect(out.first == 7 && out.last == 7)
        return Array(out.dropFirst().dropLast())
    }

    @Test("equals the training graph at every length; stored keys do not change a byte", arguments: cases)
    func equalsGraph(shape: Case) {
        let tables = Tables(shape)
        for countsFromNewest in [false, true] {
            let kept = tables.attention(keyBytes: .max, countsFromNewest: countsFromNewest)
            let computed = tables.attention(keyBytes: 0, countsFromNewest: countsFromNewest)
            for length in [1, 2, 3, 4, 5, 9, 50] {
                let first = countsFromNewest ? Self.positions - length : 0
                let history = history(length)
                let found = interests(kept, history, shape)
                #expect(interests(computed, history, shape) == found)
                // Logits sum `width` products of size about 1 with a tanh error of 4e-7, on both sides.
                let tolerance = 8e-7 * Double(shape.width + 8)
                expectClose(found, tables.reference(history, first: first).map(Double.init), absolute: tolerance)
            }
        }
    }

    @Test(
        "is correct where tanh is flat and the product of exponentials overflows Float",
        arguments: cases
    )
    func saturates(shape: Case) {
        let tables = Tables(shape, scale: 14)
        let attention = tables.attention(keyBytes: .max)
        let history = history(20)
        let found = interests(attention, history, shape)
        // z + q is a difference of terms up to 86, so tanh has an error of 86 * 2^-23 on either side.
        let tolerance = 4e-5 * Double(shape.width + 8)
        expectClose(found, tables.reference(history, first: 0).map(Double.init), absolute: tolerance)
    }

    @Test("scratch memory of a longer history does not affect a shorter one")
    func reusesScratch() {
        let shape = Case(heads: 3, width: 17, d: 24)
        let attention = Tables(shape).attention(keyBytes: 0)
        var scratch = attention.makeScratch()
        var (used, fresh) = ([Float](repeating: 0, count: 72), [Float](repeating: 0, count: 72))
        attention.interests(of: history(50)[...], scratch: &scratch, into: &used, at: 0)
        attention.interests(of: history(3)[...], scratch: &scratch, into: &used, at: 0)
        scratch = attention.makeScratch()
        attention.interests(of: history(3)[...], scratch: &scratch, into: &fresh, at: 0)
        #expect(used == fresh)
    }

    @Test("traps if a history exceeds the positional table or the items")
    func traps() async {
        await #expect(processExitsWith: .failure) {
            let attention = Tables(Case(heads: 1, width: 2, d: 2)).attention(keyBytes: 0)
            var scratch = attention.makeScratch()
            var out: [Float] = [0, 0]
            let history = [Int32](repeating: 1, count: 51)
            attention.interests(of: history[...], scratch: &scratch, into: &out, at: 0)
        }
        await #expect(processExitsWith: .failure) {
            let attention = Tables(Case(heads: 1, width: 2, d: 2)).attention(keyBytes: 0)
            var scratch = attention.makeScratch()
            var out: [Float] = [0, 0]
            attention.interests(of: [13], scratch: &scratch, into: &out, at: 0)
        }
    }
}
