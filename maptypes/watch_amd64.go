//go:build linux && amd64

package maptypes

import "syscall"

const sysFstatat = syscall.SYS_NEWFSTATAT
