#include <gtest/gtest.h>

#include <fstream>

#include "codec/job_spec_text.h"

namespace gyre::codec {
namespace {

std::vector<std::string> lines(const std::string& name) {
  std::ifstream file(std::string(GYRE_SOURCE_DIR "/tests/job_spec/") + name);
  std::vector<std::string> found;
  for (std::string line; std::getline(file, line);) found.push_back(line);
  EXPECT_GT(found.size(), 10U) << name;
  return found;
}

// The lines that tests/job_spec/test_schema.py holds the published schema to.
TEST(JobSpecSchema, TheReaderTakesWhatTheSchemaTakes) {
  for (const std::string& line : lines("good.jsonl")) {
    for (const auto format : {SpecFormat::Json, SpecFormat::Yaml}) {
      const auto spec = read_job_spec(line, format);
      EXPECT_TRUE(spec) << line << "\n" << spec.error().message;
    }
  }
}

TEST(JobSpecSchema, TheReaderRefusesWhatTheSchemaRefuses) {
  for (const std::string& line : lines("bad.jsonl")) {
    for (const auto format : {SpecFormat::Json, SpecFormat::Yaml}) {
      EXPECT_FALSE(read_job_spec(line, format)) << line;
    }
  }
}

}  // namespace
}  // namespace gyre::codec
