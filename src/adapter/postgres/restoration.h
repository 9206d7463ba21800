#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "adapter/postgres/journal.h"
#include "adapter/postgres/shared_files.h"
#include "base/ids.h"
#include "base/result.h"

namespace gyre::adapter::postgres {

/// A journal that is written anew into a database without one. Until it is finished no server
/// starts there: the schema's version is missing. Used by one thread.
class Restoration {
 public:
  /// `node_lease_s`: the longest that any server of the journal has granted. Errors: Conflict,
  /// there is a journal; as schema_version(); the connection's.
  static Result<std::unique_ptr<Restoration>> begin(const Target& target,
                                                    std::int64_t node_lease_s);
  /// Takes all out again that is not finished.
  ~Restoration();

  control::Journal& journal() { return *journal_; }
  SharedFiles& files() { return files_; }

  /// It is of that cluster and leads its agents on; all is durable when it returns. `first_job`:
  /// the least number of a new job.
  Result<void> finish(const std::string& cluster_id, JobId first_job);

 private:
  Restoration(Target target, Connection connection, std::unique_ptr<PostgresJournal> journal);

  Connection connection_;
  std::unique_ptr<PostgresJournal> journal_;
  SharedFiles files_;
  bool finished_ = false;
};

}  // namespace gyre::adapter::postgres
