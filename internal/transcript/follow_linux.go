package transcript

import "golang.org/x/sys/unix"

// leads reports whether path leads to the directory real, which must be clean,
// without one symbolic link in its name: then it is what following the links of
// path finds. A system that cannot tell says no.
func leads(path, real string) bool {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS}
	fd, err := unix.Openat2(unix.AT_FDCWD, real, &how)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	if path == real {
		return true
	}
	var there, here unix.Stat_t
	return unix.Fstat(fd, &there) == nil && unix.Stat(path, &here) == nil && there.Dev == here.Dev && there.Ino == here.Ino
}
