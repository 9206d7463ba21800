#include "adapter/nvml/mig_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace gyre::nvml {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

MigRecord record() {
  return {"12.1.0", "boot", "GPU-a", 9, {1, 3}, GpuInstance{4, 9, 4, 4, false}};
}

class MigRecordsOf : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/gyre-mig-XXXXXX";
    folder_ = mkdtemp(name);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
};

TEST(MigRecord, IsReadBackAsWritten) {
  EXPECT_TRUE(rc::check([] {
    MigRecord one = record();
    one.profile = *rc::gen::inRange(0U, 1000U);
    one.before = *rc::gen::container<std::vector<unsigned>>(rc::gen::inRange(0U, 64U));
    one.made.reset();
    if (*rc::gen::arbitrary<bool>()) {
      one.made = GpuInstance{*rc::gen::inRange(0U, 64U), one.profile, *rc::gen::inRange(0U, 8U),
                             *rc::gen::inRange(1U, 9U), false};
    }
    const auto read = parse_mig_record(to_text(one));
    RC_ASSERT(read.has_value());
    RC_ASSERT(*read == one);
  }));
}

TEST(MigRecord, OfAnyBytesIsAnErrorOrARecord) {
  EXPECT_TRUE(rc::check([](const std::string& text) {
    const std::string whole = to_text(record());
    static_cast<void>(parse_mig_record(text));
    const auto cut = *rc::gen::inRange<std::size_t>(0, whole.size());
    const auto read = parse_mig_record(whole.substr(0, cut));
    RC_ASSERT(!read || *read == record());
  }));
}

TEST(MigRecord, SaysWhatIsWrong) {
  EXPECT_THAT(parse_mig_record("task 1.1.0\nmade x\n").error().message, HasSubstr("line 2"));
  EXPECT_THAT(parse_mig_record("task 1.1.0\n").error().message, HasSubstr("end is missing"));
  EXPECT_THAT(parse_mig_record("end\n").error().message, HasSubstr("missing"));
}

TEST(MigRecord, KnowsItsInstance) {
  EXPECT_TRUE(is_of(record(), {4, 9, 4, 4, true}));
  EXPECT_FALSE(is_of(record(), {4, 9, 0, 4, true})) << "another in the same number's place";
  EXPECT_FALSE(is_of(record(), {4, 5, 4, 4, true}));
}

TEST(MigRecord, OfOneThatWasAboutToBeMadeIsWhatCameSinceAndDoesNotCompute) {
  MigRecord one = record();
  one.made.reset();
  EXPECT_TRUE(is_of(one, {4, 9, 4, 4, false}));
  EXPECT_FALSE(is_of(one, {3, 9, 4, 4, false})) << "it was there before";
  EXPECT_FALSE(is_of(one, {4, 9, 4, 4, true})) << "Gyre's gets that only when it is on record";
  EXPECT_FALSE(is_of(one, {4, 14, 4, 2, false}));
}

TEST_F(MigRecordsOf, AFolderOutliveIt) {
  {
    MigRecords records(folder_ + "/mig");
    EXPECT_TRUE(records.put(record()));
  }
  MigRecords records(folder_ + "/mig");
  ASSERT_EQ(records.all().size(), 1U);
  EXPECT_EQ(records.all().at("12.1.0"), record());
  records.remove("12.1.0");
  EXPECT_TRUE(MigRecords(folder_ + "/mig").all().empty());
}

TEST_F(MigRecordsOf, ADamagedOneIsToldAndLeft) {
  const std::string path = folder_ + "/12.1.0.mig";
  std::ofstream(path) << "task 12.1.0\n";
  const MigRecords records(folder_);
  EXPECT_TRUE(records.all().empty());
  EXPECT_THAT(records.damaged(), ElementsAre(path));
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(MigRecordsOf, AFolderThatCannotBeWrittenIsAnError) {
  std::ofstream(folder_ + "/file") << "";
  MigRecords records(folder_ + "/file/mig");
  const auto kept = records.put(record());
  ASSERT_FALSE(kept);
  EXPECT_THAT(kept.error().message, HasSubstr("cannot write"));
}

TEST_F(MigRecordsOf, AnInstanceOfAnotherBootOrDeviceIsNotOwned) {
  MigRecords records(folder_);
  MigRecord one = record();
  one.boot = this_boot();
  ASSERT_TRUE(records.put(one));
  const GpuInstance instance{4, 9, 4, 4, true};
  EXPECT_TRUE(records.owns("GPU-a", instance));
  EXPECT_FALSE(records.owns("GPU-a", instance, "12.1.0"));
  EXPECT_FALSE(records.owns("GPU-b", instance));
  one.boot = "another";
  ASSERT_TRUE(records.put(one));
  EXPECT_FALSE(records.owns("GPU-a", instance));
}

}  // namespace
}  // namespace gyre::nvml
