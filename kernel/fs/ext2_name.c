// SPDX-License-Identifier: MIT
/*
 * kernel/fs/ext2_name.c -- paths, and what changes names.
 *
 * A name and its inode change together or not at all: what can fail comes first,
 * on an inode that no name leads to; the entry is the last step, and an inode
 * whose entry could not be written goes with its last user, like any other
 * without links.
 */
#include "kernel/fs/ext2_internal.h"
#include "lib/string.h"
#include "mm/scope.h"

#define NEW_FILE (EXT2_FILE | 0644)
#define NEW_DIR  (EXT2_DIR | 0755)

unsigned int ext2_lock(struct ext2 *fs)
{
	unsigned int held = held_total();

	mutex_lock(&fs->lock);
	fs->held = held;
	return memalloc_nofs_save();
}

void ext2_unlock(struct ext2 *fs, unsigned int scope)
{
	unsigned int held = fs->held;

	ext2_reserve_fill(fs, GFP_NOWAIT);
	memalloc_nofs_restore(scope);
	mutex_unlock(&fs->lock);
	held_expect(held, "a call of ext2");
}

/* ---- Paths --------------------------------------------------------------- */

/* A name in a path. */
struct name {
	const char *text;
	unsigned int length; /* 0: the path was the root */
	bool is_dir;         /* a slash follows: nothing else will do */
};

static bool is(struct name name, const char *text)
{
	return strlen(text) == name.length &&
	       memcmp(name.text, text, name.length) == 0;
}

static bool is_dots(struct name name)
{
	return is(name, ".") || is(name, "..");
}

/* Take the next name off *PATH. */
static int next_name(const char **path, struct name *name)
{
	const char *at = *path;

	while (*at == '/')
		at++;
	name->text = at;
	while (*at != '\0' && *at != '/')
		at++;
	name->length = (unsigned int)(at - name->text);
	name->is_dir = *at == '/';
	while (*at == '/')
		at++;
	*path = at;
	return name->length > EXT2_NAME_MAX ? -ENAMETOOLONG : 0;
}

static int check_is_dir(const struct inode *inode)
{
	if (inode_is_symlink(inode))
		return -ELOOP;
	return inode_is_dir(inode) ? 0 : -ENOTDIR;
}

/* A call that ends with an error hands out no inode. */
static void ext2_name_put_back(struct inode **inode)
{
	ext2_inode_put(*inode);
	*inode = NULL;
}

/* Find the inode of NAME in DIR; the caller puts it. */
static int ext2_name_find(struct inode *dir, struct name name,
                          struct inode **inode)
{
	uint32_t number;
	int error = ext2_dir_find(dir, name.text, name.length, &number);

	*inode = NULL;
	if (error == 0)
		error = ext2_inode_get(dir->fs, number, inode);
	if (error != 0 || !name.is_dir)
		return error;
	error = check_is_dir(*inode);
	if (error != 0)
		ext2_name_put_back(inode);
	return error;
}

/* Exchange *INODE, a directory, for what NAME is in it, or for NULL. */
static int ext2_name_step(struct inode **inode, struct name name)
{
	struct inode *dir = *inode;
	int error = ext2_name_find(dir, name, inode);

	ext2_inode_put(dir);
	return error;
}

/* The directory that PATH's last name is in, and that name. */
static int find_parent(struct ext2 *fs, const char *path, struct inode **dir,
                       struct name *name)
{
	long length = strnlen_caller(path, EXT2_PATH_MAX);
	int error;

	*dir = NULL;
	if (length < 0)
		return (int)length;
	if (length == EXT2_PATH_MAX)
		return -ENAMETOOLONG;
	error = ext2_inode_get(fs, EXT2_ROOT_INODE, dir);
	if (error != 0)
		return error;
	error = check_is_dir(*dir);
	if (error == 0)
		error = next_name(&path, name);
	while (error == 0 && *path != '\0') {
		error = ext2_name_step(dir, *name);
		if (error != 0)
			return error;
		error = next_name(&path, name);
	}
	if (error != 0)
		ext2_name_put_back(dir);
	return error;
}

static int open_path(struct ext2 *fs, const char *path, struct inode **inode)
{
	struct name name;
	int error = find_parent(fs, path, inode, &name);

	if (error == 0 && name.length > 0)
		error = ext2_name_step(inode, name);
	return error;
}

void ext2_close(struct inode *inode)
{
	struct ext2 *fs = inode->fs;
	unsigned int scope = ext2_lock(fs);

	ext2_inode_put(inode);
	ext2_unlock(fs, scope);
}

/* The end of a call that began with ERROR 0 and clear_caller(): INODE, in use, is
 * the caller's, who reads it at *TO. */
static int ext2_hand_out(struct inode *inode, int error, struct inode **to)
{
	if (error != 0)
		return error;
	error = copy_to_caller(to, &inode, sizeof(void *));
	if (error != 0)
		ext2_close(inode);
	return error;
}

int ext2_open(struct ext2 *fs, const char *path, struct inode **inode)
{
	int error = clear_caller(inode, sizeof(void *));
	struct inode *found = NULL;
	unsigned int scope;

	if (error != 0)
		return error;
	scope = ext2_lock(fs);
	error = open_path(fs, path, &found);
	ext2_unlock(fs, scope);
	return ext2_hand_out(found, error, inode);
}

int ext2_open_number(struct ext2 *fs, uint32_t number, struct inode **inode)
{
	int error = clear_caller(inode, sizeof(void *));
	struct inode *found = NULL;
	unsigned int scope;

	if (error != 0)
		return error;
	scope = ext2_lock(fs);
	error = ext2_inode_get(fs, number, &found);
	ext2_unlock(fs, scope);
	return ext2_hand_out(found, error, inode);
}

/* Nothing of the caller's is touched under the mutex. */
int ext2_next_name(struct inode *dir, uint64_t *position,
                   struct ext2_name *name)
{
	struct ext2_name found;
	unsigned int scope;
	uint64_t at;
	int answer;
	int error = copy_from_caller(&at, position, sizeof(at));

	if (error != 0)
		return error;
	scope = ext2_lock(dir->fs);
	answer = inode_is_dir(dir) ? ext2_dir_next(dir, &at, &found) : -ENOTDIR;
	ext2_unlock(dir->fs, scope);
	if (answer != 1)
		return answer;
	error = copy_to_caller(name, &found,
	                       offsetof(struct ext2_name, text) + found.length +
	                               1);
	if (error == 0)
		error = copy_to_caller(position, &at, sizeof(at));
	return error == 0 ? 1 : error;
}

/* ---- New names ----------------------------------------------------------- */

/* An inode with MODE, in use, that no name leads to. */
static int make_inode(struct inode *dir, uint16_t mode, struct inode **inode)
{
	struct ext2 *fs = dir->fs;
	bool is_dir = (mode & EXT2_TYPE) == EXT2_DIR;
	uint32_t number;
	int error = ext2_take_inode(fs, dir->number, is_dir, &number);

	if (error != 0)
		return error;
	error = ext2_inode_new(fs, number, mode, inode);
	if (error != 0) {
		int second = ext2_give_inode(fs, number, is_dir);

		return second != 0 ? second : error;
	}
	if (is_dir)
		error = ext2_dir_make(*inode, dir->number);
	if (error != 0)
		ext2_name_put_back(inode);
	return error;
}

static int make_named(struct inode *dir, struct name name, uint16_t mode,
                      struct inode **inode)
{
	bool is_dir = (mode & EXT2_TYPE) == EXT2_DIR;
	int error = ext2_may_change(dir, EXT2_IMMUTABLE);

	/* Somebody has removed it since. */
	if (error == 0 && dir->links == 0)
		error = -ENOENT;
	if (error == 0 && is_dir && dir->links >= EXT2_LINK_MAX)
		error = -EMLINK;
	if (error == 0)
		error = make_inode(dir, mode, inode);
	if (error != 0)
		return error;
	error = ext2_dir_add(dir, name.text, name.length, *inode);
	if (error != 0) {
		ext2_name_put_back(inode);
		return error;
	}
	(*inode)->links = is_dir ? 2 : 1;
	ext2_inode_update(*inode);
	dir->links = (uint16_t)(dir->links + is_dir);
	ext2_inode_update(dir);
	return 0;
}

static int ext2_name_create(struct inode *dir, struct name name,
                            struct inode **inode)
{
	int error;

	if (name.length == 0 || name.is_dir)
		return -EISDIR;
	error = ext2_name_find(dir, name, inode);
	if (error == -ENOENT)
		return make_named(dir, name, NEW_FILE, inode);
	if (error != 0)
		return error;
	error = ext2_check_file(*inode);
	if (error != 0)
		ext2_name_put_back(inode);
	return error;
}

int ext2_create(struct ext2 *fs, const char *path, struct inode **inode)
{
	int error = clear_caller(inode, sizeof(void *));
	struct inode *made = NULL;
	struct inode *dir;
	struct name name;
	unsigned int scope;

	if (error != 0)
		return error;
	scope = ext2_lock(fs);
	error = find_parent(fs, path, &dir, &name);
	if (error == 0) {
		error = ext2_name_create(dir, name, &made);
		ext2_inode_put(dir);
	}
	ext2_unlock(fs, scope);
	return ext2_hand_out(made, error, inode);
}

static int make_directory(struct inode *dir, struct name name)
{
	struct inode *inode;
	uint32_t number;
	int error;

	if (name.length == 0)
		return -EEXIST;
	error = ext2_dir_find(dir, name.text, name.length, &number);
	if (error != -ENOENT)
		return error == 0 ? -EEXIST : error;
	error = make_named(dir, name, NEW_DIR, &inode);
	if (error == 0)
		ext2_inode_put(inode);
	return error;
}

int ext2_mkdir(struct ext2 *fs, const char *path)
{
	unsigned int scope = ext2_lock(fs);
	struct inode *dir;
	struct name name;
	int error = find_parent(fs, path, &dir, &name);

	if (error == 0) {
		error = make_directory(dir, name);
		ext2_inode_put(dir);
	}
	ext2_unlock(fs, scope);
	return error;
}

/* ---- Names that go ------------------------------------------------------- */

static int unlink(struct inode *dir, struct name name, struct inode *inode)
{
	int error;

	if (inode_is_dir(inode))
		return -EISDIR;
	error = ext2_dir_remove(dir, name.text, name.length);
	if (error == 0) {
		inode->links--;
		ext2_inode_update(inode);
	}
	return error;
}

static int remove_directory(struct inode *dir, struct name name,
                            struct inode *inode)
{
	int error;

	if (!inode_is_dir(inode))
		return -ENOTDIR;
	if (inode->users > 1)
		return -EBUSY;
	error = ext2_dir_is_empty(inode);
	if (error == 0)
		error = ext2_dir_remove(dir, name.text, name.length);
	if (error != 0)
		return error;
	inode->links = 0;
	ext2_inode_update(inode);
	if (dir->links > 2)
		dir->links--;
	ext2_inode_update(dir);
	return 0;
}

typedef int (*remover)(struct inode *dir, struct name name,
                       struct inode *inode);

/* Remove NAME from DIR. */
static int remove_from(struct inode *dir, struct name name, remover remove)
{
	const uint32_t kept = EXT2_IMMUTABLE | EXT2_APPEND;
	struct inode *inode;
	int error = ext2_may_change(dir, kept);

	if (error == 0 && (name.length == 0 || is_dots(name)))
		error = -EBUSY;
	if (error == 0)
		error = ext2_name_find(dir, name, &inode);
	if (error != 0)
		return error;
	error = ext2_may_change(inode, kept);
	if (error == 0)
		error = remove(dir, name, inode);
	ext2_inode_put(inode);
	return error;
}

/* Find what PATH names and let REMOVE take the name away. */
static int remove_with(struct ext2 *fs, const char *path, remover remove)
{
	struct inode *dir;
	struct name name;
	int error = find_parent(fs, path, &dir, &name);

	if (error != 0)
		return error;
	error = remove_from(dir, name, remove);
	ext2_inode_put(dir);
	return error;
}

int ext2_unlink(struct ext2 *fs, const char *path)
{
	unsigned int scope = ext2_lock(fs);
	int error = remove_with(fs, path, unlink);

	ext2_unlock(fs, scope);
	return error;
}

int ext2_rmdir(struct ext2 *fs, const char *path)
{
	unsigned int scope = ext2_lock(fs);
	int error = remove_with(fs, path, remove_directory);

	ext2_unlock(fs, scope);
	return error;
}
