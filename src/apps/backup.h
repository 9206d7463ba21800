#pragma once

#include <string>

#include "cli/cli.h"

namespace gyre::apps {

/// See cli::Backups.
Result<cli::BackupFacts> create_backup(const std::string& state_folder, const std::string& file);
Result<cli::BackupFacts> verify_backup(const std::string& file);
Result<cli::BackupFacts> restore_backup(const std::string& file, const std::string& folder,
                                        const cli::BackupCut& cut);

}  // namespace gyre::apps
