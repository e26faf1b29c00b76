import ArgumentParser
import CheckpointStore
import Foundation
import HTTPAPI
import Kernels
import MessagePassing
import Recommenders
import Serving
import Training
import VectorIndex

/// The program with all its commands.
@main
struct Dimerec: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dimerec",
        abstract: "Trains, evaluates and serves DimeRec: diffusion with multi-interest guidance for retrieval.",
        version: Build.version,
        subcommands: [
            Import.self, Inspect.self, Train.self, Retrain.self, Evaluate.self, Serve.self, Query.self, Models.self,
            Bench.self, Load.self, Plan.self, Check.self, RunExperiment.self, Folds.self, Tune.self, Settings.self,
            Reference.self, Doctor.self,
        ]
    )

    static func main() async {
        MessagePassing.takeShareOfCores()
        BLAS.restartForBetterCore()
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let code as ExitCode {
            Foundation.exit(code.rawValue)
        } catch {
            if let code = ExitCode(failure: error) {
                Terminal.write("dimerec: \(error)\n")
                Foundation.exit(code.rawValue)
            }
            if let error = error as? ValidationError {
                let command = CommandLine.arguments.dropFirst().prefix(1).map { "dimerec \($0)" }.first ?? "dimerec"
                Terminal.write("Error: \(error.message)\n  See '\(command) --help' for more information.\n")
                Foundation.exit(ExitCode.validationFailure.rawValue)
            }
            exit(withError: unknownCommand() ?? error)
        }
    }

    /// The error of a first word that names no command; the parser would complain about its options instead.
    private static func unknownCommand() -> ValidationError? {
        guard let word = CommandLine.arguments.dropFirst().first, !word.hasPrefix("-"),
            let names = try? CommandDescription.program().commands.map(\.commandName), !names.contains(word),
            word != "help"
        else { return nil }
        return ValidationError("Unknown command '\(word)'; the commands are \(names.joined(separator: ", ")).")
    }
}

extension ExitCode {
    /// Bad data or a bad checkpoint.
    static let badData = ExitCode(3)
    /// Interrupted from the keyboard.
    static let interrupted = ExitCode(130)

    /// The exit code of an error of this project, or nil for errors of the argument parser.
    init?(failure error: any Error) {
        switch error {
        case is CSVError, is SmallDataError, is CheckpointError, is SnapshotError, is HeldOutError, is IndexError,
            is ContinuationError,
            is ParameterError,
            is VectorFileError, SizingError.badFile,
            ImportError.emptyPart, ImportError.noTimes, RetrainingError.noClock, RetrainingError.shortLog:
            self = .badData
        case RetrainingError.locked: self = .roundIsRunning
        case RetrainingError.settings: self = .validationFailure
        case is ConfigurationError, is RecipeError, is LaunchError, is ModelNameError, is ExperimentError,
            is SettingError, ServerError.invalidConfiguration, ServerError.openControlPlane, ImportError.folderInUse:
            self = .validationFailure
        case is ValidationError, is CleanExit:
            return nil
        default:
            guard !"\(type(of: error))".hasPrefix("CommandError") else { return nil }
            self = .failure
        }
    }
}
