import Foundation
import Kernels
import TestSupport
import Testing

@Suite("Matrix products") struct ProductTests {
    struct Shape: Sendable, CustomTestStringConvertible {
        var m: Int
        var inner: Int
        var n: Int
        var testDescription: String { "\(m) x \(inner) x \(n)" }
    }

    static let shapes =
        tailLengths.filter { $0 <= 129 }.flatMap { length in
            [
                Shape(m: length, inner: 5, n: 3), Shape(m: 3, inner: length, n: 5), Shape(m: 5, inner: 3, n: length),
            ]
        } + [Shape(m: 33, inner: 65, n: 17), Shape(m: 64, inner: 64, n: 64), Shape(m: 1, inner: 1, n: 1)]
        // By tiles, where the CPU has them: whole and partial blocks of rows and of the inner dimension.
        + [
            Shape(m: 4, inner: 16, n: 16), Shape(m: 7, inner: 48, n: 32), Shape(m: 36, inner: 130, n: 48),
            Shape(m: 70, inner: 64, n: 64), Shape(m: 12, inner: 300, n: 16),
        ]

    /// `keeping * c + scale * op(a) op(b)` by three loops.
    private func reference(
        _ a: Matrix,
        _ transposeA: Bool,
        _ b: Matrix,
        _ transposeB: Bool,
        onto c: Matrix,
        scale: Double,
        keeping: Double
    ) -> [SummedReference] {
        let inner = transposeA ? a.rows : a.columns
        return (0..<c.rows).flatMap { i in
            (0..<c.columns).map { j in
                var sum = SummedReference()
                if keeping != 0 { sum.add(keeping * Double(c[i, j])) }
                for k in 0..<inner {
                    sum.add(
                        scale * Double(transposeA ? a[k, i] : a[i, k]) * Double(transposeB ? b[j, k] : b[k, j])
                    )
                }
                return sum
            }
        }
    }

    /// Shapes of bfloat16 products: odd inner dimensions, partial tiles of rows, half a panel of columns, several blocks.
    static let roundedShapes = [
        Shape(m: 64, inner: 64, n: 64), Shape(m: 17, inner: 1001, n: 48), Shape(m: 300, inner: 257, n: 80),
        Shape(m: 16, inner: 1025, n: 16), Shape(m: 531, inner: 33, n: 16), Shape(m: 37, inner: 530, n: 96),
    ]

    /// The nearest number with 8 significant bits, ties to even.
    private static func rounded(_ matrix: Matrix) -> Matrix {
        Matrix(
            rows: matrix.rows,
            columns: matrix.columns,
            elements: matrix.elements.map {
                let bits = $0.bitPattern
                return Float(bitPattern: (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000)
            }
        )
    }

    /// The instructions for bfloat16 products of this CPU; only `.none` where it has none.
    static let bfloatLevels = BfloatLevel.allCases.filter {
        BfloatLevel.best == .none ? $0 == .none : $0 != .none && $0.rawValue <= BfloatLevel.best.rawValue
    }

    @Test("in bfloat16 equals three loops over rounded factors", arguments: roundedShapes, bfloatLevels)
    func matchesRoundedReference(shape: Shape, level: BfloatLevel) {
        for (transposeA, transposeB) in [(false, false), (false, true), (true, false)] {
            let (m, inner, n) = (shape.m, shape.inner, shape.n)
            let a = normalMatrix(rows: transposeA ? inner : m, columns: transposeA ? m : inner, seed: 1)
            let b = normalMatrix(rows: transposeB ? n : inner, columns: transposeB ? inner : n, seed: 2)
            let isRounding = Precision.hasBfloat16
            let (factorA, factorB) = isRounding ? (Self.rounded(a), Self.rounded(b)) : (a, b)
            let start = normalMatrix(rows: m, columns: n, seed: 3)
            for keeping in [0, 1] as [Float] {
                var sum = keeping == 0 ? Matrix(rows: m, columns: n, repeating: .nan) : start
                sum.addProduct(
                    a,
                    transposed: transposeA,
                    b,
                    transposed: transposeB,
                    keeping: keeping,
                    precision: .bfloat16,
                    limit: level
                )
                let expected = reference(
                    factorA,
                    transposeA,
                    factorB,
                    transposeB,
                    onto: start,
                    scale: 1,
                    keeping: Double(keeping)
                )
                expectClose(sum.elements, expected, "\(transposeA) \(transposeB) keeping \(keeping)")
            }
        }
    }

    @Test("equals three loops, with every transpose", arguments: shapes)
    func matchesReference(shape: Shape) {
        for (transposeA, transposeB) in [(false, false), (false, true), (true, false), (true, true)] {
            let a = normalMatrix(
                rows: transposeA ? shape.inner : shape.m,
                columns: transposeA ? shape.m : shape.inner,
                seed: 1
            )
            let b = normalMatrix(
                rows: transposeB ? shape.n : shape.inner,
                columns: transposeB ? shape.inner : shape.n,
                seed: 2
            )
            let zero = Matrix(rows: shape.m, columns: shape.n)
            let product = Matrix.product(a, transposed: transposeA, b, transposed: transposeB)
            #expect(product.shape == [shape.m, shape.n])
            expectClose(
                product.elements,
                reference(a, transposeA, b, transposeB, onto: zero, scale: 1, keeping: 0),
                "\(transposeA) \(transposeB)"
            )
            for (scale, keeping) in [(1, 1), (-0.5, 1), (2, 0.25)] as [(Float, Float)] {
                let start = normalMatrix(rows: shape.m, columns: shape.n, seed: 3)
                var sum = start
                sum.addProduct(a, transposed: transposeA, b, transposed: transposeB, scale: scale, keeping: keeping)
                let expected = reference(
                    a,
                    transposeA,
                    b,
                    transposeB,
                    onto: start,
                    scale: Double(scale),
                    keeping: Double(keeping)
                )
                // Two more roundings: the scaled product and the scaled former value.
                expectClose(sum.elements, expected, extra: 4, "scale \(scale), keeping \(keeping)")
            }
        }
    }

    @Test("keeping 0 ignores former contents, NaN included")
    func forgetsNaN() {
        var sum = Matrix(rows: 2, columns: 3, repeating: .nan)
        sum.addProduct(Matrix([[1, 2], [3, 4]]), Matrix([[1, 0, 1], [0, 1, 1]]), keeping: 0)
        #expect(sum == Matrix([[1, 2, 3], [3, 4, 7]]))
        var empty = Matrix(rows: 2, columns: 3, repeating: .nan)
        empty.addProduct(Matrix(rows: 2, columns: 0), Matrix(rows: 0, columns: 3), keeping: 0)
        #expect(empty == Matrix(rows: 2, columns: 3))
    }

    @Test(
        "a CPU that OpenBLAS mistakes for an older model gets the kernels for its features",
        arguments: [
            ("Prescott", "avx512", "SkylakeX"), ("Haswell", "avx512", "SkylakeX"), ("Zen", "avx512", "SkylakeX"),
            ("Generic", "avx2", "Haswell"), ("Sandybridge", "avx2", "Haswell"), ("SkylakeX", "avx512", nil),
            ("Cooperlake", "avx512", nil), ("SapphireRapids", "avx512", nil), ("Zen", "avx2", nil),
            ("Haswell", "avx2", nil), ("Prescott", "sse3", nil),
        ] as [(String, String, String?)]
    )
    func betterCore(core: String, level: String, expected: String?) {
        let avx2: Set = ["sse3", "avx", "avx2", "fma"]
        let features: [String: Set<String>] = [
            "sse3": ["sse3"], "avx2": avx2, "avx512": avx2.union(["avx512f", "avx512bw", "avx512dq", "avx512vl"]),
        ]
        #expect(BLAS.betterCoreType(than: core, features: features[level] ?? []) == expected)
    }

    @Test("BLAS and CPU report their names and features")
    func description() {
        #expect(!BLAS.coreName.isEmpty && BLAS.coreName != "unknown")
        #expect(BLAS.configuration.contains("OpenBLAS"))
        #expect(["x86-64-v4", "x86-64-v3", "baseline"].contains(CPU.kernelLevel))
        // A run for one CPU level must have that level.
        if let level = ProcessInfo.processInfo.environment["EXPECTED_CPU_LEVEL"] { #expect(CPU.kernelLevel == level) }
        if let core = BLAS.betterCoreType { #expect(core != BLAS.coreName) }
    }

    @Test(
        "a product in blocks has the bits of the products with each block alone",
        arguments: [1, 3, 256],
        [5, 8, 33, 64]
    )
    func blocks(rows: Int, inner: Int) {
        let generator = CounterBasedGenerator(seed: 7, purpose: .simulation)
        let a = generator.normalRows(streams: (0..<UInt64(rows)).map { $0 }, columns: inner)
        let b = generator.normalRows(streams: (1000..<21_001).map { $0 }, columns: inner)
        let blocks = [0..<9000, 9000..<19_500, 19_500..<20_001]
        let product = Matrix.product(a, transposed: b, blocks: blocks)
        for block in blocks.dropLast() {
            let alone = Matrix.product(a, transposed: false, b.rows(block), transposed: true)
            for row in 0..<rows {
                #expect(product.row(row)[block].map(\.bitPattern) == alone.row(row).map(\.bitPattern))
            }
        }
        // The last block is small enough for the tiled product alone, which rounds in another way.
        let exact = Matrix.product(a, transposed: false, b, transposed: true)
        #expect(zip(product.elements, exact.elements).allSatisfy { abs($0 - $1) < 1e-3 })
    }
}
