import CKernels
import COpenBLAS

#if canImport(Glibc)
import Glibc
#endif

/// The BLAS library behind matrix products: its configuration and its start.
public enum BLAS {
    /// The CPU family that OpenBLAS chose its kernels for, such as `SkylakeX` or `Zen`.
    public static var coreName: String {
        guard let name = unsafe openblas_get_corename() else { return "unknown" }
        return unsafe String(cString: name)
    }

    /// The version and build options of OpenBLAS.
    public static var configuration: String {
        guard let text = unsafe openblas_get_config() else { return "unknown" }
        return unsafe String(cString: text)
    }

    /// The value of `OPENBLAS_CORETYPE` that is faster on this CPU than OpenBLAS's own choice, or nil.
    ///
    /// OpenBLAS reads the variable when the library loads, so the caller must set it and restart the process.
    public static var betterCoreType: String? { betterCoreType(than: coreName, features: CPU.features) }

    /// The kernels that are faster than `core` on a CPU with these features, or nil.
    ///
    /// OpenBLAS chooses kernels by CPU model number. A CPU that is newer than the library gets the kernels of an old
    /// model: newer AMD families with AVX-512 get AVX2 kernels; newer Intel models get SSE3 kernels, at a fifth of
    /// the speed.
    package static func betterCoreType(than core: String, features: Set<String>) -> String? {
        let wide: Set = ["SkylakeX", "Cooperlake", "SapphireRapids"]
        if ["avx512f", "avx512bw", "avx512dq", "avx512vl"].allSatisfy(features.contains) {
            return wide.contains(core) ? nil : "SkylakeX"
        }
        guard ["avx2", "fma"].allSatisfy(features.contains), !wide.contains(core) else { return nil }
        return ["Haswell", "Zen", "Excavator"].contains(core) ? nil : "Haswell"
    }

    /// Restarts the process if OpenBLAS would then use faster kernels; call it before everything else.
    ///
    /// `DIMEREC_BLAS_CORE` names the kernels to use instead of ``betterCoreType``. A given `OPENBLAS_CORETYPE` is
    /// overruled, because images set it for other programs. Returns if no restart is needed or the restart fails.
    public static func restartForBetterCore() {
        let variable = "OPENBLAS_CORETYPE"
        guard let core = environment("DIMEREC_BLAS_CORE") ?? betterCoreType, environment(variable) != core else {
            return
        }
        unsafe ck_restart_with(variable, core)
    }

    fileprivate static func environment(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }

    /// One thread per call, set once: callers split their batches over workers.
    fileprivate static let singleThreaded: Void = openblas_set_num_threads(1)
}

/// The CPU's features and the priority of threads.
public enum CPU {
    /// Feature flags as the kernel names them (`avx2`, `avx512f` ...); empty if `/proc/cpuinfo` is missing.
    public static let features: Set<String> = {
        guard let file = unsafe fopen("/proc/cpuinfo", "r") else { return [] }
        defer { unsafe fclose(file) }
        var line = [CChar](repeating: 0, count: 16384)
        while unsafe fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if text.hasPrefix("flags") { return Set(text.split(whereSeparator: \.isWhitespace).map(String.init)) }
        }
        return []
    }()

    /// The widest compiled kernel variant that this CPU can run: `x86-64-v4`, `x86-64-v3` or `baseline`.
    public static var kernelLevel: String {
        ["baseline", "x86-64-v3", "x86-64-v4"][Int(ck_cpu_level())]
    }

    /// How many cores this process may run on; 0 where the system does not say.
    public static var cores: Int { Int(ck_cores()) }

    /// Restarts the process on its share of the machine's cores; call it before everything else.
    ///
    /// The number of worker threads follows from the cores at the start. Returns without a restart if the process is
    /// confined to some cores already, or has been restarted.
    ///
    /// - Parameters:
    ///   - share: Which part of the cores, from 0.
    ///   - shares: How many processes of this machine divide its cores.
    public static func restart(onShare share: Int, of shares: Int) {
        precondition(0..<shares ~= share, "share \(share) of \(shares)")
        let variable = "DIMEREC_SHARE_OF_CORES"
        guard BLAS.environment(variable) == nil, ck_take_share_of_cores(share, shares) == 1 else { return }
        unsafe ck_restart_with(variable, "\(share) of \(shares)")
    }

    /// Gives the calling thread a low priority for the rest of its life.
    ///
    /// Also takes the thread out of a real-time policy (`chrt`), which threads inherit from the process.
    ///
    /// - Parameter nice: 1 to 19; at 19 the thread gets about 1/70 of a core that another thread keeps busy.
    public static func lowerThreadPriority(nice: Int = 19) { ck_lower_thread_priority(Int32(nice)) }
}

extension Matrix {
    /// `op(a) * op(b)`, where `op` transposes if requested.
    ///
    /// - Precondition: The inner dimensions agree.
    /// - Complexity: O(rows * columns * inner), one thread.
    public static func product(
        _ a: Matrix,
        transposed transposeA: Bool = false,
        _ b: Matrix,
        transposed transposeB: Bool = false,
        precision: Precision = .float32
    ) -> Matrix {
        var result = Matrix(
            rows: transposeA ? a.columns : a.rows,
            columns: transposeB ? b.rows : b.columns
        ) { _ in }
        result.addProduct(a, transposed: transposeA, b, transposed: transposeB, keeping: 0, precision: precision)
        return result
    }

    /// `a * b^T` in blocks of rows of `b`.
    ///
    /// The rounding of a product may depend on its shape and on the place of an element. Here the elements of a block
    /// have the bits of ``product(_:transposed:_:transposed:)`` with the rows of this block alone.
    ///
    /// - Precondition: The inner dimensions agree, and the blocks are consecutive and cover all rows of `b`.
    /// - Complexity: As that of the product.
    public static func product(_ a: Matrix, transposed b: Matrix, blocks: [Range<Int>]) -> Matrix {
        guard blocks.count > 1 else { return product(a, transposed: false, b, transposed: true) }
        precondition(a.columns == b.columns, "product of \(a.shape) and \(b.shape)T")
        var end = 0
        for block in blocks {
            precondition(block.lowerBound == end && block.upperBound <= b.rows, "block \(block) of \(b.rows) rows")
            end = block.upperBound
        }
        precondition(end == b.rows, "blocks of \(end) of \(b.rows) rows")
        let inner = a.columns
        return Matrix(rows: a.rows, columns: b.rows) { out in
            a.withPointer { pa in
                b.withPointer { pb in
                    for block in blocks {
                        unsafe BLAS.product(
                            (pa, false),
                            (pb + block.lowerBound * inner, true),
                            m: a.rows,
                            n: block.count,
                            inner: inner,
                            keeping: 0,
                            into: out + block.lowerBound,
                            stride: b.rows
                        )
                    }
                }
            }
        }
    }

    /// `self = keeping * self + scale * op(a) * op(b)`.
    ///
    /// - Precondition: Shapes agree. With `keeping == 0` former contents are ignored, NaN included.
    public mutating func addProduct(
        _ a: Matrix,
        transposed transposeA: Bool = false,
        _ b: Matrix,
        transposed transposeB: Bool = false,
        scale: Float = 1,
        keeping: Float = 1,
        precision: Precision = .float32
    ) {
        addProduct(
            a,
            transposed: transposeA,
            b,
            transposed: transposeB,
            scale: scale,
            keeping: keeping,
            precision: precision,
            limit: .best
        )
    }

    /// The same with instructions for bfloat16 products up to a level that this CPU has.
    package mutating func addProduct(
        _ a: Matrix,
        transposed transposeA: Bool = false,
        _ b: Matrix,
        transposed transposeB: Bool = false,
        scale: Float = 1,
        keeping: Float = 1,
        precision: Precision = .float32,
        limit: BfloatLevel
    ) {
        let (m, inner) = transposeA ? (a.columns, a.rows) : (a.rows, a.columns)
        let (innerB, n) = transposeB ? (b.columns, b.rows) : (b.rows, b.columns)
        precondition(
            inner == innerB && m == rows && n == columns,
            "product of \(a.shape)\(transposeA ? "T" : "") and \(b.shape)\(transposeB ? "T" : "") into \(shape)"
        )
        a.withPointer { pa in
            b.withPointer { pb in
                self.withMutablePointer { pc in
                    unsafe BLAS.product(
                        (pa, transposeA),
                        (pb, transposeB),
                        m: m,
                        n: n,
                        inner: inner,
                        scale: scale,
                        keeping: keeping,
                        precision: precision,
                        limit: limit,
                        into: pc
                    )
                }
            }
        }
    }
}

extension BLAS {
    private static let hasWideTiles = CPU.kernelLevel == "x86-64-v4"

    /// Whether the tiled product can compute this shape, and its right factor, or a stretch of both, fits the cache.
    ///
    /// It computes no product of more than 8,192 columns, so those of blocks of items never depend on it.
    private static func suitsTiles(_ turnA: Bool, _ turnB: Bool, m: Int, n: Int, inner: Int) -> Bool {
        guard hasWideTiles, n % 16 == 0, inner > 0, !(turnA && turnB) else { return false }
        if turnA { return m % 4 == 0 && m <= 512 && n <= 512 }
        return m >= 4 && n <= 1 << 13 && n * inner <= 1 << 16 && (!turnB || inner % 16 == 0)
    }

    /// Whether bfloat16 products are there, and the product is worth the packing of both factors.
    private static func suitsBfloat16(_ turnA: Bool, _ turnB: Bool, m: Int, n: Int, inner: Int) -> Bool {
        Precision.hasBfloat16 && n % 16 == 0 && !(turnA && turnB) && min(m, n, inner) >= 16 && m * n * inner >= 1 << 18
    }

    /// `c = keeping * c + scale * op(a) * op(b)` of row-major matrices; `c` has shape `[m, n]`, and its rows start every
    /// `stride` elements, nil for `n`; `op` transposes if requested.
    ///
    /// Products of network layers run by tiles where that is faster than OpenBLAS.
    static func product(
        _ a: (start: UnsafePointer<Float>, isTransposed: Bool),
        _ b: (start: UnsafePointer<Float>, isTransposed: Bool),
        m: Int,
        n: Int,
        inner: Int,
        scale: Float = 1,
        keeping: Float = 1,
        precision: Precision = .float32,
        limit: BfloatLevel = .best,
        into c: UnsafeMutablePointer<Float>,
        stride: Int? = nil
    ) {
        guard m > 0, n > 0 else { return }
        let (turnedA, turnedB) = unsafe (a.isTransposed, b.isTransposed)
        let (turnA, turnB): (Int32, Int32) = (turnedA ? 1 : 0, turnedB ? 1 : 0)
        let isPlain = scale == 1 && (keeping == 0 || keeping == 1) && stride ?? n == n
        if isPlain, precision == .bfloat16, suitsBfloat16(turnedA, turnedB, m: m, n: n, inner: inner) {
            withScratch(floats: ck_bfloat_product_scratch(turnA, m, n, inner)) { scratch in
                let (x, y) = unsafe (a.start, b.start)
                let level = limit.rawValue
                unsafe ck_bfloat_product(x, turnA, y, turnB, m, n, inner, c, Int32(keeping), level, scratch)
            }
            return
        }
        if isPlain, suitsTiles(turnedA, turnedB, m: m, n: n, inner: inner) {
            withScratch(floats: ck_tiled_product_scratch(turnA, turnB, n, inner)) { scratch in
                let (x, y) = unsafe (a.start, b.start)
                unsafe ck_tiled_product(x, turnA, y, turnB, m, n, inner, c, Int32(keeping), scratch)
            }
            return
        }
        _ = singleThreaded
        unsafe cblas_sgemm(
            CblasRowMajor,
            a.isTransposed ? CblasTrans : CblasNoTrans,
            b.isTransposed ? CblasTrans : CblasNoTrans,
            blasint(m),
            blasint(n),
            blasint(inner),
            scale,
            a.start,
            blasint(max(1, a.isTransposed ? m : inner)),
            b.start,
            blasint(max(1, b.isTransposed ? inner : n)),
            keeping,
            c,
            blasint(stride ?? n)
        )
    }
}
