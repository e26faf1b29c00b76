// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// The trait with which `train` runs on several machines; the program then needs Open MPI.
let messagePassing = Trait.trait(name: "MPI", description: "Train on several machines with Open MPI.")

func library(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = []) -> Target {
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: settings)
}

/// Tests of one library; `dependencies` are what they import besides it and TestSupport.
func tests(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = []) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: [.byName(name: name), "TestSupport"] + dependencies,
        resources: resources,
        swiftSettings: settings
    )
}

let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let hummingbirdTesting = Target.Dependency.product(name: "HummingbirdTesting", package: "hummingbird")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioHTTPTypesHTTP1 = Target.Dependency.product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")

/// The entry point of libFuzzer; deploy/fuzz builds it, and other builds do not know it.
let fuzzes = Context.environment["FUZZ"] != nil

let package = Package(
    name: "dimerec",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "dimerec", targets: ["dimerec"]),
        .library(name: "DimeRecClient", targets: ["DimeRecClient"]),
    ] + (fuzzes ? [.library(name: "Fuzzers", type: .static, targets: ["FuzzingEntry"])] : []),
    traits: [messagePassing],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.5.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        // Without its trait ConfigurationSupport: settings have a reader of their own.
        .package(
            url: "https://github.com/hummingbird-project/hummingbird",
            from: "2.28.1",
            traits: ["FullFoundation"]
        ),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .systemLibrary(name: "COpenMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"])]),
        .target(
            name: "CKernels",
            cSettings: [.define("NDEBUG"), .headerSearchPath(".")],
            linkerSettings: [.linkedLibrary("sqlite3")]
        ),
        library("Kernels", ["COpenBLAS", "CKernels"]),
        library("Autodiff", ["Kernels"]),
        library("VectorIndex", ["Kernels"]),
        library("CheckpointStore", ["Kernels", grdb]),
        library("Recommenders", ["Kernels", "Autodiff", "CheckpointStore"]),
        library(
            "Training",
            ["Kernels", "Autodiff", "Recommenders", "VectorIndex", "CheckpointStore", "PostgreSQL", logging]
        ),
        // Without the trait it only says that the build has no MPI.
        library(
            "MessagePassing",
            ["Kernels", "Training", .target(name: "COpenMPI", condition: .when(traits: [messagePassing.name]))]
        ),
        library("Serving", ["Kernels", "Recommenders", "VectorIndex", "CheckpointStore", logging, lifecycle]),
        library(
            "HTTPAPI",
            [
                "Kernels", "Serving", nioCore, nioPosix, nioHTTP1, nioHTTPTypes, nioHTTPTypesHTTP1, hummingbird,
                hummingbirdCore, lifecycle, logging, systemPackage,
            ],
            resources: [.embedInCode("ControlPlane/Dashboard/Page"), .embedInCode("OpenAPI/openapi.json")]
        ),
        // These two have TLS, for stores of checkpoints and for services behind a proxy.
        library(
            "Fleet",
            ["Kernels", "CheckpointStore", "Serving", asyncHTTPClient, lifecycle, logging, nioCore, nioHTTP1]
        ),
        // This one loads libpq at run time.
        library("PostgreSQL"),
        library("ShardedSearch", ["Kernels", "VectorIndex", "CheckpointStore", "Serving", "PostgreSQL", logging]),
        library("ClientCalls", [nioCore, nioHTTP1, nioPosix]),
        library("DimeRecClient", ["ClientCalls", asyncHTTPClient, nioCore, nioHTTP1]),
        library("LoadTesting", ["Kernels", histogram, nioCore, nioPosix]),
        .executableTarget(
            name: "dimerec",
            dependencies: [
                "Kernels", "Autodiff", "Recommenders", "Training", "MessagePassing", "VectorIndex", "CheckpointStore",
                "Serving", "HTTPAPI", "Fleet", "ShardedSearch", "LoadTesting", "ClientCalls", argumentParser, lifecycle,
                logging, nioCore, nioHTTP1, nioPosix, systemPackage,
            ],
            swiftSettings: settings
        ),
        .target(
            name: "TestSupport",
            dependencies: [
                "Kernels", "Autodiff", "VectorIndex", "Recommenders", "CheckpointStore", "Serving", logging,
            ],
            path: "Tests/TestSupport",
            swiftSettings: settings
        ),
        // What fuzzers and their tests feed with bytes.
        .target(
            name: "Fuzzing",
            dependencies: [
                "Kernels", "Recommenders", "Training", "VectorIndex", "CheckpointStore", "Serving", "HTTPAPI",
                "TestSupport",
            ],
            path: "Tests/Fuzzing",
            swiftSettings: settings
        ),
        .testTarget(
            name: "FuzzingTests",
            dependencies: ["Fuzzing", "Kernels"],
            resources: [.copy("Corpus")],
            swiftSettings: settings
        ),
        tests("Kernels"),
        tests("Autodiff", ["Kernels"]),
        tests("VectorIndex", ["Kernels"]),
        tests("CheckpointStore", ["Kernels", grdb]),
        tests("Recommenders", ["Kernels", "Autodiff", "CheckpointStore"], resources: [.copy("References")]),
        tests("Training", ["Kernels", "Autodiff", "Recommenders", "VectorIndex", "CheckpointStore"]),
        tests("MessagePassing", ["Training"]),
        tests(
            "Serving",
            ["Kernels", "Autodiff", "Recommenders", "Training", "VectorIndex", "CheckpointStore", logging]
        ),
        tests(
            "HTTPAPI",
            [
                "Kernels", "Recommenders", "VectorIndex", "CheckpointStore", "Serving", hummingbird, hummingbirdTesting,
                lifecycle, logging, nioCore, nioPosix, nioHTTP1, nioEmbedded, systemPackage,
            ]
        ),
        tests("Fleet", ["Kernels", "CheckpointStore", "Serving", logging, nioCore, nioPosix, nioHTTP1]),
        tests("PostgreSQL"),
        tests("ShardedSearch", ["Kernels", "VectorIndex", "CheckpointStore", "Serving", "PostgreSQL"]),
        tests("DimeRecClient", ["ClientCalls", "HTTPAPI", "Serving", nioCore, nioPosix]),
        tests("LoadTesting", ["Kernels", nioCore, nioPosix, nioHTTP1, nioEmbedded]),
    ] + (fuzzes ? [.target(name: "FuzzingEntry", dependencies: ["Fuzzing"], path: "Tests/FuzzingEntry")] : [])
)
