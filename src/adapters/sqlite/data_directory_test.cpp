#include "adapters/sqlite/data_directory.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "adapters/sqlite/test_parts.hpp"

namespace doorbuster::sqlite {
namespace {

TEST(DataDirectory, IsMadeWhenItIsNotThere) {
  TemporaryFolder folder;
  auto directory = DataDirectory::acquire(folder.path() + "/a/b", "api");
  ASSERT_TRUE(directory) << directory.error().detail;
  EXPECT_TRUE(std::filesystem::exists(folder.path() + "/a/b/lock"));
}

TEST(DataDirectory, NamesTheProcessThatHoldsIt) {
  TemporaryFolder folder;
  int held[2];
  int release[2];
  ASSERT_EQ(::pipe(held), 0);
  ASSERT_EQ(::pipe(release), 0);
  const auto child = ::fork();
  if (child == 0) {
    auto directory = DataDirectory::acquire(folder.path(), "worker");
    char byte = directory ? 'y' : 'n';
    if (::write(held[1], &byte, 1) != 1 || ::read(release[0], &byte, 1) != 1) ::_exit(1);
    ::_exit(0);  // without the destructor: the kernel lets go of the lock
  }
  char byte = 0;
  ASSERT_EQ(::read(held[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  const auto second = DataDirectory::acquire(folder.path(), "api");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::conflict);
  EXPECT_NE(second.error().detail.find("process " + std::to_string(child) + " (doorbuster worker)"),
            std::string::npos)
      << second.error().detail;
  ASSERT_EQ(::write(release[1], "x", 1), 1);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(DataDirectory::acquire(folder.path(), "api"));
  for (int end : {held[0], held[1], release[0], release[1]}) ::close(end);
}

TEST(DataDirectory, DoesNotRepeatAForeignLockFile) {
  TemporaryFolder folder;
  auto first = DataDirectory::acquire(folder.path(), "api");
  ASSERT_TRUE(first);
  std::ofstream(folder.path() + "/lock") << "\x1b[31mgarbage";
  const auto second = DataDirectory::acquire(folder.path(), "api");
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().detail.find("in use by another process"), std::string::npos)
      << second.error().detail;
}

TEST(DataDirectory, SaysThatItCannotBeWritten) {
  // Nobody writes into this folder, root included.
  const auto directory = DataDirectory::acquire("/proc", "api");
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code, ErrorCode::unavailable);
  EXPECT_NE(directory.error().detail.find("/proc: the data folder cannot be written"), std::string::npos)
      << directory.error().detail;
}

TEST(DataDirectory, SaysThatItCannotBeMade) {
  TemporaryFolder folder;
  std::ofstream(folder.path() + "/file") << "x";
  const auto directory = DataDirectory::acquire(folder.path() + "/file/data", "api");
  ASSERT_FALSE(directory);
  EXPECT_NE(directory.error().detail.find("cannot be made"), std::string::npos) << directory.error().detail;
}

}  // namespace
}  // namespace doorbuster::sqlite
