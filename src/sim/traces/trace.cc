#include "sim/traces/trace.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "sim/traces/trace_builder.h"

namespace gyre::sim {
namespace {

bool has_all(const Table& table, std::initializer_list<std::string_view> columns) {
  for (const std::string_view column : columns) {
    if (!table.has_column(column)) return false;
  }
  return true;
}

Result<std::unique_ptr<TraceFormat>> choose_format(const Table& table, std::string_view format) {
  if (format == "openb") return openb_format(table);
  if (format == "philly") return philly_format();
  if (format == "csv") return csv_format();
  if (format != "auto") {
    return fail(ErrorKind::Invalid,
                "no trace format is named '{}'; there are auto, openb, philly "
                "and csv",
                format);
  }
  if (has_all(table, {"name", "num_gpu", "cpu_milli"})) return openb_format(table);
  if (has_all(table, {"timestamp", "num_gpus", "gpu_time", "cluster"})) return philly_format();
  return csv_format();
}

/// Reads the row that `table` goes to into `builder`. False at the end.
Result<bool> take_row(Table& table, TraceFormat& format, TraceBuilder& builder) {
  const Result<bool> more = table.next();
  if (!more || !*more) return more;
  const Result<JobRow> row = format.read(table);
  if (!row) return tl::unexpected(row.error());
  if (auto done = builder.add(table, *row); !done) return tl::unexpected(done.error());
  return true;
}

}  // namespace

Result<Trace> read_trace(std::unique_ptr<ByteSource> source, std::string name,
                         const TraceOptions& options) {
  Result<Table> table = Table::open(std::move(source), name);
  if (!table) return tl::unexpected(table.error());
  Result<std::unique_ptr<TraceFormat>> format = choose_format(*table, options.format);
  if (!format) return tl::unexpected(format.error());
  const std::vector<ColumnSpec> columns = (*format)->columns();
  if (auto done = table->bind(columns); !done) return tl::unexpected(done.error());

  TraceBuilder builder;
  for (std::uint64_t rows = 0; !options.limit || rows < *options.limit; ++rows) {
    const Result<bool> more = take_row(*table, **format, builder);
    if (more && !*more) break;
    if (more) continue;
    if (!options.skip_bad_rows || more.error().kind != ErrorKind::Invalid) {
      return tl::unexpected(more.error());
    }
    builder.skip();
  }
  return builder.finish(std::move(name), std::string((*format)->name()), (*format)->notes(*table));
}

}  // namespace gyre::sim
